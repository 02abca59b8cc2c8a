"""Every page of a console, and what there is to be seen on them.

Runs in the site's own environment:

    python -m tests.console.site_filled empty | filled

Prints the addresses of the pages, one a line. `empty` makes the user alone.
"""

import sys

import django

django.setup()

import numpy as np  # noqa: E402 Django first
from django.contrib import admin  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.db import models  # noqa: E402
from django.test import Client  # noqa: E402
from django.urls import reverse  # noqa: E402

from calls.admin.sidebar import GROUPS, _address  # noqa: E402
from calls.models import Call, CallNote, SavedView, Severity, Tag  # noqa: E402
from tests import factories  # noqa: E402
from tests.console.conftest import stored_recording  # noqa: E402
from tests.prompts.sounds import prompt_made  # noqa: E402
from tests.seed import migrate  # noqa: E402

# Pages that no list leads to. Whoever makes such a page adds it here.
OTHERS = (
    "/admin/password_change/",
    "/admin/password_change/done/",
    "/admin/second-factor/",
    "/admin/login/enrol/",
    "/admin/calls/call/place/?from=nobody",
    "/admin/calls/answerrule/forecast/?from=%2B12065550100&to=%2B18005550199",
    "/admin/calls/call/?q=nothing+like+it",
    "/admin/calls/call/said/?q=refund",
)
# Without rows these say something else than with.
SAME_WHEN_EMPTY = ("/add/", "/password_change/", "/second-factor/", "/enrol/")


def main() -> None:
    """Fill the database as asked and print the pages that are there."""
    migrate()
    root = people()
    is_empty = sys.argv[1] == "empty"
    if not is_empty and not Call.objects.exists():
        fill(root)
    for address in pages(root):
        if not is_empty or not any(part in address for part in SAME_WHEN_EMPTY):
            sys.stdout.write(f"{address}\n")


def people() -> User:
    """Return a superuser, made at the first call along with one who may nothing."""
    if found := User.objects.filter(username="root").first():
        return found
    factories.UserFactory.create(username="nobody")
    root: User = factories.UserFactory.create(username="root", is_superuser=True)
    return root


def fill(root: User) -> None:
    """Make some of everything."""
    live = factories.CallFactory.create(live=True, caller_name="Mei Tanaka")
    track = factories.TrackFactory.create(
        call=live, participant__display_name="Ada Okafor", is_final=False
    )
    over = factories.CallFactory.create(ended=True, with_gap=True, rating=4)
    factories.CallFactory.create(ended=True, caller_name="A very long name, " * 6)
    factories.CallFactory.create()
    for seed, mix in enumerate((True, False, False)):
        noise = np.random.default_rng(seed).integers(-9000, 9000, 60 * 16000)
        part = None if mix else factories.TrackFactory.create(call=over, with_gap=True)
        stored_recording(noise.astype(np.int16), call=over, track=part)
    factories.LossFactory.create(track=track)
    for state in ("confirmed", "failed", "queued"):
        factories.CommandFactory.create(
            call=live, state=state, asked_by=root, result="words"
        )
    factories.EventFactory.create(call=over)
    said = {"sentiment": "negative", "confidence": 0.4, "is_cut": True}
    for number in range(3):
        factories.SegmentFactory.create(call=over, **(said if number else {}))
    over.has_transcript = True
    over.save()
    prompt = prompt_made()
    factories.UtteranceFactory.create(call=over, prompt=prompt)
    factories.ProcessFactory.create()
    factories.RuleFactory.create(name="Sales")
    factories.member_of("operator")
    for severity in Severity:
        factories.AlarmFactory.create(call=live, severity=severity)
        factories.AlarmFactory.create(call=over, severity=severity, cleared=True)
    factories.AlarmFactory.create(of_node=True)
    CallNote.objects.create(call=over, author=root, author_name="root", text="Listen.")
    over.tags.add(Tag.objects.create(name="complaint"))
    SavedView.objects.create(name="Bad ones", owner=root, query="complete=no")


def pages(root: User) -> list[str]:
    """Return the addresses of all pages: sidebar, lists, forms, one row of each."""
    found = {
        _address(entry[2]): None for _, entries in GROUPS for entry in entries
    } | dict.fromkeys(OTHERS)
    for model in admin.site._registry:
        found |= dict.fromkeys(_pages_of(model))
    browser = Client(headers={"host": "localhost"})
    browser.force_login(root)
    return [one for one in found if browser.get(one, follow=False).status_code == 200]


def _pages_of(model: type[models.Model]) -> list[str]:
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}"
    count = 3 if model._meta.model_name == "call" else 1
    keys = [row.pk for row in model._default_manager.all()[:count]]
    return [
        reverse(f"{name}_changelist"),
        reverse(f"{name}_add"),
        *(reverse(f"{name}_change", args=[key]) for key in keys),
        *(reverse(f"{name}_delete", args=[key]) for key in keys[:1]),
    ]


if __name__ == "__main__":
    main()
