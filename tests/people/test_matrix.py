"""Every route, action and order, asked for by everybody: who may, can; nobody else.

What there is comes from the routes themselves. What has no line in `tests/people/rules`
fails: a page that nobody thought of is not to be open, or shut, by chance.
"""

import logging
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.template import engines
from django.test import Client, RequestFactory, override_settings
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from calls import orders
from calls.models import AuditEntry, CallNote, SavedView, Tag
from calls.storage import recording_open, recording_save
from tests import factories
from tests.console.conftest import stored_recording
from tests.people import rules
from tests.people.roles import ANONYMOUS, ROOT, STRANGER, WHO, may, sessions_make
from tests.people.rules import MACHINE, PUBLIC, ROUTES, TABLES, Rule

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LOGIN = "/admin/login/"
HOW = (
    "{what} has no rule: nobody has said who may use it. Add one line to"
    " tests/people/rules.py, for example\n"
    '    "{what}": "calls.view_call",\n'
    "with the permission that it needs, or PUBLIC, MACHINE, STAFF, NOBODY."
)


def routes(
    patterns: Any, space: str = "", before: str = "/"
) -> Iterator[tuple[str, str]]:
    """Yield the name of each route, its pattern if it has none, and the pattern."""
    for one in patterns:
        path = before + str(one.pattern)
        if isinstance(one, URLResolver):
            inside = f"{space}{one.namespace}:" if one.namespace else space
            yield from routes(one.url_patterns, inside, path)
        elif isinstance(one, URLPattern):
            yield (f"{space}{one.name}" if one.name else path), path


FOUND = dict(routes(get_resolver("acsstream.urls").url_patterns))


def rule_of(name: str) -> Rule | None:
    """Return the rule of a route: its own, an order's, or that of its table."""
    if (own := ROUTES.get(name)) is not None:
        return own if isinstance(own, Rule) else Rule(own)
    order = name.removeprefix("admin:calls_call_order_")
    if order in rules.ORDERS:
        return Rule(rules.ORDERS[order])
    table, _, what = name.removeprefix("admin:").rpartition("_")
    if name.startswith("/admin/") and name.endswith("/<path:object_id>/"):
        # An address of old, which leads to the page of the row.
        return Rule(rules.STAFF)
    if table not in TABLES:
        return None
    view, add, _, delete = TABLES[table]
    rights = {"changelist": view, "change": view, "history": view}
    rights |= {"add": add, "delete": delete}
    return Rule(rights[what]) if what in rights else None


UNDRAWN = "tests.undrawn"
BLANK = engines["django"].from_string("")


class undrawn_middleware:  # noqa: N801 as Django names them
    """Answers what a view answers, but does not draw the page: that is what is slow."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self.get_response(request)

    def process_template_response(self, request: Any, response: Any) -> Any:
        if request.META.get(UNDRAWN):
            response.template_name = BLANK
        return response


@dataclass
class World:
    """Rows of every kind, and everybody's session."""

    sessions: Mapping[str, str]
    rows: Mapping[str, Any]
    browser: Client = field(
        default_factory=lambda: Client(raise_request_exception=False)
    )

    def client(self, who: str) -> Client:
        """Return a browser of somebody, as if just signed in."""
        self.browser.cookies.clear()
        if who != ANONYMOUS:
            self.browser.cookies["sessionid"] = self.sessions[who]
        # Of pages that many see, one is drawn: with all that may be on it.
        is_drawn = who in (ANONYMOUS, STRANGER, ROOT)
        self.browser.defaults[UNDRAWN] = "" if is_drawn else "1"
        return self.browser

    def visit(self, who: str, path: str, rule: Rule) -> Any:
        """Visit a page; whatever that does is undone."""
        form = {name: self.filled(text) for name, text in rule.form.items()}
        client = self.client(who)
        with transaction.atomic():
            if rule.method == "POST":
                answer = client.post(path, form)
            else:
                answer = client.get(path, form)
            transaction.set_rollback(True)
        return answer

    def filled(self, text: str) -> str:
        """Put keys of rows in: "{call}"."""
        return text.format(**{name: row.pk for name, row in self.rows.items()})


@pytest.fixture(scope="module")
def world(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    """Make one of everything, for all tests of this module."""
    chain = [*settings.MIDDLEWARE, f"{__name__}.undrawn_middleware"]
    # A traceback for each of a thousand refusals.
    logging.disable(logging.WARNING)
    with (
        django_db_blocker.unblock(),
        override_settings(MIDDLEWARE=chain),
        transaction.atomic(),
    ):
        yield World(sessions_make(), rows_make())
        transaction.set_rollback(True)
    logging.disable(logging.NOTSET)


def rows_make() -> dict[str, Any]:
    noise = np.random.default_rng(7).integers(-9_000, 9_000, 16_000)
    recording: Any = stored_recording(noise.astype(np.int16))
    call = recording.call
    owner = User.objects.get(username=ROOT)
    tag = Tag.objects.create(name="refund")
    call.tags.add(tag)
    prompt = factories.PromptFactory.create(is_withdrawn=True)
    with recording_open(recording.audio) as spoken:
        recording_save(prompt.audio_24k, spoken)
    return {
        "recording": recording,
        "call": call,
        "track": recording.track,
        "participant": recording.track.participant,
        "alarm": factories.AlarmFactory.create(),
        "auditentry": AuditEntry.objects.create(action="signed_in", actor="ada"),
        "callevent": factories.EventFactory.create(),
        "connection": factories.ConnectionFactory.create(),
        "subscription": factories.SubscriptionFactory.create(),
        "ingestprocess": factories.ProcessFactory.create(),
        "streamcommand": factories.CommandFactory.create(bulk_id=uuid.uuid4()),
        "answerrule": factories.RuleFactory.create(),
        "streamingprofile": factories.ProfileFactory.create(),
        "prompt": prompt,
        "tag": tag,
        "savedview": SavedView.objects.create(name="V", owner=owner, is_shared=True),
        "note": CallNote.objects.create(call=call, author=owner, text="Heard."),
        "user": factories.UserFactory.create(),
        "group": Group.objects.create(name="Night shift"),
    }


# What addresses name, by what they call it; what is not in here is a row.
TEXTS = {"app_label": "calls", "url": "nothing/here", "content_type_id": "1"}


def address(name: str, pattern: str, rule: Rule, world: World) -> str:
    """Return the address of a route, with rows of the kind that it is about."""
    kinds = [kind for kind in world.rows if f"_{kind}_" in name or f"/{kind}/" in name]
    about = world.rows[kinds[0]] if kinds else world.rows["call"]
    names: dict[str, Any] = {kind + "_id": row.pk for kind, row in world.rows.items()}
    names |= TEXTS | {
        "object_id": about.pk,
        "id": about.pk,
        "pk": world.rows["savedview"].pk,
        "rule_id": world.rows["answerrule"].pk,
        "bulk_id": world.rows["streamcommand"].bulk_id,
    }
    if name == pattern:
        # Without a name: only of the admin, and simple.
        plain = pattern.replace("(?P<url>.*)$", TEXTS["url"])
        return plain.replace("<path:object_id>", str(about.pk))
    given = names | dict(rule.names)
    wanted = {
        part for part in given if f":{part}>" in pattern or f"<{part}>" in pattern
    }
    return reverse(name, kwargs={part: given[part] for part in wanted})


def is_let_in(answer: Any) -> bool:
    """Say whether an answer is more than the door. A fault is neither."""
    assert answer.status_code < 500, answer.status_code
    is_sent_to_login = answer.status_code == 302 and answer.url.startswith(LOGIN)
    return not is_sent_to_login and answer.status_code not in (401, 403, 404, 405)


@pytest.mark.parametrize("name", FOUND)
def test_a_route_opens_for_whom_its_rule_names(name: str, world: World) -> None:
    rule = rule_of(name)
    assert rule is not None, HOW.format(what=name)
    path = address(name, FOUND[name], rule, world)

    answers = {who: world.visit(who, path, rule) for who in WHO}

    if rule.right == MACHINE:
        # Who is signed in makes no difference to a machine's door.
        assert len({answer.status_code for answer in answers.values()}) == 1
        # readyz says 503 while a part is down; that is no fault.
        assert answers[ANONYMOUS].status_code in (200, 400, 401, 403, 404, 503)
    elif rule.right == PUBLIC:
        assert {answer.status_code for answer in answers.values()} <= {200, 302}
    else:
        let_in = {who: is_let_in(answer) for who, answer in answers.items()}
        assert let_in == {who: may(who, rule.right) for who in WHO}, path


def test_no_rule_is_about_something_that_is_gone() -> None:
    assert set(ROUTES) <= set(FOUND)
    assert set(TABLES) == {
        f"{model._meta.app_label}_{model._meta.model_name}"
        for model in admin.site._registry
    }


# --- Orders and alarms ----------------------------------------------------------------


@pytest.mark.parametrize("kind", orders.ORDERS)
def test_an_order_is_taken_from_whom_its_rule_names(kind: str, world: World) -> None:
    assert kind in rules.ORDERS, HOW.format(what=kind)
    right, call = rules.ORDERS[kind], world.rows["call"].pk
    one = reverse("command", args=[call, kind])
    many = reverse("admin:calls_call_bulk", args=[kind])

    for who in WHO:
        assert is_let_in(world.visit(who, one, rules.posts(right))) == may(who, right)
        bulk = world.visit(who, many, rules.posts(right, bulk_id=str(uuid.uuid4())))
        assert is_let_in(bulk) == may(who, right), who


@pytest.mark.parametrize("act", rules.ALARM_ACTS)
def test_an_alarm_is_handled_by_whom_its_rule_names(act: str, world: World) -> None:
    alarm = world.rows["alarm"].pk
    right = rules.ALARM_ACTS[act]
    for who in WHO:
        one = rules.posts(right, reason="Done.")
        many = rules.posts(right, act=act, ids=str(alarm), reason="Done.")
        single = world.visit(who, reverse("alarm_act", args=[alarm, act]), one)
        assert is_let_in(single) == may(who, right), who
        assert is_let_in(world.visit(who, "/alarms/bulk", many)) == may(who, right)


# --- Actions --------------------------------------------------------------------------


def actions() -> dict[str, Any]:
    """Return each action that a superuser is offered, with the admin of its list."""
    request = RequestFactory().get("/")
    request.user = User(is_superuser=True, is_active=True)
    return {
        f"{model._meta.app_label}_{model._meta.model_name} {name}": model
        for model, site in admin.site._registry.items()
        for name in site.get_actions(request)
    }


def test_an_action_does_something_for_whom_its_rule_names_alone(world: World) -> None:
    found = actions()
    bulk = {f"calls_call {kind}": right for kind, right in rules.ORDERS.items()}
    for name, model in found.items():
        right = (bulk | rules.ACTIONS).get(name)
        assert right is not None, HOW.format(what=name)
        row = world.rows[model._meta.model_name]
        path = reverse(f"admin:{name.split()[0]}_changelist")
        post = rules.posts(right, action=name.split()[1], _selected_action=str(row.pk))
        for who in WHO:
            assert is_done(world, who, path, post) == may(who, right), (who, name)
    assert set(rules.ACTIONS) <= set(found)


def is_done(world: World, who: str, path: str, rule: Rule) -> bool:
    """Say whether an action was run: Django says nothing of one that is not offered."""
    answer = world.visit(who, path, rule)
    assert answer.status_code < 500
    if answer.status_code == 200:
        # The list again, or a page of its own: a preview, or "are you sure?".
        return "cl" not in answer.context_data
    if not is_let_in(answer):
        return False
    request: Any = answer.wsgi_request
    said = [str(one) for one in request._messages]
    return bool(said) and "No action selected." not in said
