"""The pages of rules and profiles: forms, order, warnings, what would happen."""

from datetime import time
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils.html import escape
from pytest_django import Settings

from calls.models import AnswerRule, AuditEntry, Call, StreamingProfile
from tests.control.wire import incoming_call, post_eventgrid
from tests.factories import ProfileFactory, RuleFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

LIST = "/admin/calls/answerrule/"
FORECAST = f"{LIST}what-would-happen/"
PROFILES = "/admin/calls/streamingprofile/"


def form_of(**fields: Any) -> dict[str, Any]:
    """Return what the form of a rule posts."""
    return {
        "name": "Night",
        "enabled": "on",
        "note": "",
        "called": "",
        "calling": "",
        "starts_at": "",
        "ends_at": "",
        "time_zone": "UTC",
        "share": "100",
        "action": "ignore",
        "profile": "",
        "reject_reason": "none",
        "target": "",
    } | fields


def profile_form(**fields: Any) -> dict[str, Any]:
    return {
        "name": "Desk",
        "channels": "mixed",
        "sample_rate": "16000",
        "transcription": "off",
        "locale": "en-US",
        "retention": "standard",
    } | fields


def names() -> list[str]:
    return [rule.name for rule in AnswerRule.objects.in_order()]


def errors_of(response: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = response.context["adminform"].form.errors
    return found


def text_of(response: Any) -> str:
    return " ".join(response.content.decode().split())


# --- rules --------------------------------------------------------------------------


def test_a_new_rule_begins_in_the_zone_of_the_pages(
    root: Client, settings: Settings
) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    page = text_of(root.get(f"{LIST}add/"))
    assert '<option value="Europe/Berlin" selected' in page


def test_a_new_rule_is_asked_last(root: Client) -> None:
    RuleFactory.create(name="First", priority=7)

    response = root.post(
        f"{LIST}add/",
        form_of(
            called="+1 (206) 555-0100, 8:acs:*",
            starts_at="22:00",
            ends_at="06:00",
            weekdays=["5", "1"],
            time_zone="Europe/Berlin",
            action="redirect",
            target="+1 206 555 0199",
        ),
    )

    assert response.status_code == 302
    rule = AnswerRule.objects.get(name="Night")
    assert names() == ["First", "Night"]
    assert (rule.starts_at, rule.ends_at) == (time(22), time(6))
    assert (rule.weekdays, rule.time_zone) == ("15", "Europe/Berlin")
    assert rule.target == "4:+12065550199"


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"called": "1206*"}, "called", "begins with +"),
        ({"calling": "+1206*,,"}, "calling", "between two commas"),
        ({"starts_at": "22:00"}, "ends_at", "both times or neither"),
        ({"starts_at": "8:00", "ends_at": "8:00"}, "ends_at", "the same"),
        ({"starts_at": "25:00", "ends_at": "8:00"}, "starts_at", "valid time"),
        ({"time_zone": "Mars/Olympus"}, "time_zone", "not one of"),
        ({"weekdays": ["9"]}, "weekdays", "not one of"),
        ({"share": "0"}, "share", "greater than or equal to 1"),
        ({"share": "101"}, "share", "less than or equal to 100"),
        ({"share": "x"}, "share", "whole number"),
        ({"action": "answer"}, "profile", "Choose how the call is streamed."),
        ({"action": "redirect"}, "target", "phone number with its country code"),
        ({"action": "redirect", "target": "desk"}, "target", "phone number"),
        ({"action": "dance"}, "action", "valid choice"),
    ],
)
def test_says_at_the_field_what_is_wrong(
    root: Client, fields: dict[str, Any], field: str, words: str
) -> None:
    response = root.post(f"{LIST}add/", form_of(**fields))

    assert words in errors_of(response)[field][0]
    assert not AnswerRule.objects.exists()


def test_a_saved_rule_is_shown_as_it_was_given(root: Client) -> None:
    rule = RuleFactory.create(
        weekdays="15", starts_at=time(22), ends_at=time(6), time_zone="Mars/Olympus"
    )

    response = root.get(f"{LIST}{rule.pk}/change/")

    form = response.context["adminform"].form
    assert form.initial["weekdays"] == ["1", "5"]
    page = text_of(response)
    assert 'value="22:00:00"' in page
    # A zone that is none is not swapped for the first of the list in silence.
    assert '<option value="Mars/Olympus" selected>' in page
    days = response.context["adminform"].form["weekdays"]
    assert [day.data["attrs"].get("checked") for day in days] == (
        [True, None, None, None, True, None, None]
    )


def test_shows_each_rule_as_a_sentence_with_what_is_odd(root: Client) -> None:
    RuleFactory.create(name="<b>Wide</b>", called="+1*")
    RuleFactory.create(name="Narrow", called="+1206*", profile__name="Desk")
    RuleFactory.create(name="Broken", called="206")

    page = text_of(root.get(LIST))

    assert escape("Calls to +1206* → answer with “Desk”") in page
    assert f"Never reached: “{escape('<b>Wide</b>')}” before it" in page
    assert "Not applied: “206” would match nothing" in page
    assert "<b>Wide</b>" not in page


def test_states_the_default_without_making_it(root: Client) -> None:
    page = text_of(root.get(LIST))

    assert "<b>If none matches:</b> the call is answered with “Default”" in page
    assert not StreamingProfile.objects.exists()
    assert "Stream audio when answered: each voice apart, 16 kHz." in page

    StreamingProfile.objects.create(name="House", is_default=True)
    assert ">House</a>" in text_of(root.get(LIST))


def test_moves_rules_by_one_and_goes_back_to_the_button(root: Client) -> None:
    # Two of the same priority: a move numbers all anew.
    one, two, three = (
        RuleFactory.create(name=name, priority=priority)
        for name, priority in (("One", 1), ("Two", 5), ("Three", 5))
    )

    response = root.post(f"{LIST}{three.pk}/move/up/")
    assert response["Location"] == f"{LIST}#up-{three.pk}"
    assert names() == ["One", "Three", "Two"]

    root.post(f"{LIST}{one.pk}/move/down/")
    assert names() == ["Three", "One", "Two"]

    root.post(f"{LIST}{two.pk}/move/down/")
    root.post(f"{LIST}{three.pk}/move/up/")
    assert names() == ["Three", "One", "Two"]


def test_moves_only_by_post_and_only_what_is_there(root: Client) -> None:
    rule = RuleFactory.create()

    assert root.get(f"{LIST}{rule.pk}/move/up/").status_code == 405
    assert root.post(f"{LIST}{rule.pk}/move/sideways/").status_code == 404
    assert root.post(f"{LIST}{rule.pk + 1}/move/up/").status_code == 404


def test_operators_see_rules_and_change_nothing(operator: Client) -> None:
    one, two = RuleFactory.create(name="One"), RuleFactory.create(name="Two")

    page = text_of(operator.get(LIST))

    assert "One" in page
    assert "/move/" not in page
    assert operator.post(f"{LIST}{two.pk}/move/up/").status_code == 403
    assert operator.get(f"{LIST}add/").status_code == 403
    posted = operator.post(f"{LIST}{one.pk}/change/", form_of())
    assert posted.status_code == 403
    assert names() == ["One", "Two"]


def test_switches_rules_off_and_on_together(root: Client) -> None:
    rules = [RuleFactory.create(), RuleFactory.create()]
    chosen = {"_selected_action": [rule.pk for rule in rules]}

    root.post(LIST, chosen | {"action": "switch_off"})
    assert not AnswerRule.objects.filter(enabled=True).exists()

    root.post(LIST, chosen | {"action": "switch_on"})
    assert not AnswerRule.objects.filter(enabled=False).exists()


def test_a_rule_that_is_deleted_leaves_its_calls(root: Client) -> None:
    rule = RuleFactory.create()
    post_eventgrid(incoming_call())

    root.post(f"{LIST}{rule.pk}/delete/", {"post": "yes"})

    assert Call.objects.get().rule is None


# --- what would happen ----------------------------------------------------------------


def test_asks_for_a_call_and_says_in_which_zone(operator: Client) -> None:
    response = operator.get(FORECAST)

    assert response.status_code == 200
    assert "(UTC)" in text_of(response)
    assert "fates" not in response.context


def test_shows_who_wins_and_why_the_others_do_not(operator: Client) -> None:
    RuleFactory.create(
        name="Night", starts_at=time(22), ends_at=time(6), action="reject"
    )
    RuleFactory.create(name="Desk", called="+1206*", profile__name="Far")
    RuleFactory.create(name="Last")

    response = operator.get(
        FORECAST, {"calling": "", "called": "+1 206 555 0100", "at": "2026-03-02T14:00"}
    )

    [fate] = response.context["fates"]
    assert (fate.rule.name, fate.is_sure) == ("Desk", True)
    assert fate.told[0] == "Answer the call."
    assert [line.why for line in response.context["lines"]] == [
        "Monday 14:00 in UTC is not within every day 22:00–06:00.",
        "The called party matches +1206*.",
        "Not asked: it is decided before.",
    ]
    page = text_of(response)
    assert "somebody unknown calls +1 206 555 0100" in page
    assert "Monday, 2026-03-02 14:00 (UTC)" in page
    assert ">Far</a> · retention class Standard" in page


def test_says_a_share_as_a_chance(operator: Client) -> None:
    RuleFactory.create(share=30)
    RuleFactory.create(share=1, action="ignore")

    response = operator.get(FORECAST, {"called": ""})

    shown = [fate.chance for fate in response.context["fates"]]
    assert shown == ["30 %", "0.7 %", "69.3 %"]
    assert "these are chances" in text_of(response)
    assert response.context["lines"][0].why.endswith("It takes 30 % of such calls.")


def test_without_rules_the_default_is_what_happens(operator: Client) -> None:
    response = operator.get(FORECAST, {"called": "+12065550100"})

    assert "No rule, the default: answer with the default profile" in text_of(response)
    assert not StreamingProfile.objects.exists()


def test_knows_callers_that_cannot_be_called(operator: Client) -> None:
    RuleFactory.create(name="Withheld", calling="4:anonymous", action="ignore")

    response = operator.get(FORECAST, {"calling": "4:anonymous"})

    assert response.context["fates"][0].rule.name == "Withheld"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"calling": "reception"}, "calling"),
        ({"called": "206 555"}, "called"),
        ({"called": "+1" * 300}, "called"),
        ({"at": "yesterday"}, "at"),
    ],
)
def test_says_what_it_cannot_read(
    operator: Client, query: dict[str, str], field: str
) -> None:
    response = operator.get(FORECAST, query)

    assert response.status_code == 200
    assert list(response.context["form"].errors) == [field]
    assert "fates" not in response.context


def test_shows_what_would_happen_only_to_who_may_see_rules(stranger: Client) -> None:
    assert stranger.get(FORECAST).status_code == 403
    assert "/login/" in Client().get(FORECAST)["Location"]


def test_agrees_with_what_then_really_happens(operator: Client) -> None:
    RuleFactory.create(called="+44*")
    RuleFactory.create(name="Wins", calling="+1206*", called="+1206*", action="ignore")

    response = operator.get(
        FORECAST, {"calling": "4:+12065550100", "called": "4:+12065550199"}
    )
    post_eventgrid(incoming_call())

    assert response.context["fates"][0].rule == Call.objects.get().rule


@pytest.mark.parametrize("page", [LIST, f"{FORECAST}?called=%2B44123", PROFILES])
def test_asks_the_database_no_more_for_many_rules(root: Client, page: str) -> None:
    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert root.get(page).status_code == 200
        return len(queries)

    RuleFactory.create(called="+1206*")
    asked()
    one = asked()
    for _ in range(20):
        RuleFactory.create(called="+1206*")

    assert asked() == one


# --- profiles -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"media_url": "https://media.example.com"}, "media_url"),
        ({"media_url": "ws://media.example.com"}, "media_url"),
        ({"media_url": "wss://media.example.com/?x=1"}, "media_url"),
        ({"transcription": "at_answer", "locale": ""}, "locale"),
        ({"locale": "english"}, "locale"),
        ({"retention": "forever"}, "retention"),
        ({"handler": "ehco", "bidirectional": "on"}, "handler"),
        ({"handler": "our.handlers.", "bidirectional": "on"}, "handler"),
        # Nobody would hear it.
        ({"handler": "echo"}, "handler"),
        ({"handler": "our.Own", "handler_options": "[1]"}, "handler_options"),
        ({"handler": "our.Own", "handler_options": "{"}, "handler_options"),
    ],
)
def test_refuses_options_that_acs_could_not_use(
    root: Client, fields: dict[str, Any], field: str
) -> None:
    response = root.post(f"{PROFILES}add/", profile_form(**fields))

    assert list(errors_of(response)) == [field]


def test_a_profile_may_have_a_media_url_of_its_own(root: Client) -> None:
    root.post(
        f"{PROFILES}add/", profile_form(media_url=" wss://media.example.com/eu/ ")
    )

    assert StreamingProfile.objects.get().media_base == "wss://media.example.com/eu"
    assert ProfileFactory.create().media_base == "ws://127.0.0.1:9"


def test_a_profile_names_a_handler_with_its_options(root: Client) -> None:
    root.post(
        f"{PROFILES}add/",
        profile_form(handler=" our.Own ", handler_options='{"repeat": 3}'),
    )

    profile = StreamingProfile.objects.get()
    assert (profile.handler, profile.handler_options) == ("our.Own", {"repeat": 3})
    page = text_of(root.get(f"{PROFILES}{profile.pk}/change/"))
    assert 'list="handler-offered"' in page
    assert '<datalist id="handler-offered"><option value="echo">' in page


def test_a_profile_without_a_handler_has_no_options(root: Client) -> None:
    root.post(f"{PROFILES}add/", profile_form(handler_options=""))

    assert StreamingProfile.objects.get().handler_options == {}


def test_makes_another_profile_the_default(root: Client) -> None:
    old = StreamingProfile.default()
    new = ProfileFactory.create()

    response = root.post(
        f"{PROFILES}{new.pk}/make-default/",
        {"_form_submitted": "on"},
        headers={"HX-Request": "true"},
    )

    assert response["HX-Redirect"] == f"{PROFILES}{new.pk}/change/"
    assert StreamingProfile.default() == new
    assert StreamingProfile.objects.get(is_default=True) == new
    old.refresh_from_db()
    assert not old.is_default


def test_operators_do_not_choose_the_default(operator: Client) -> None:
    StreamingProfile.default()
    new = ProfileFactory.create()

    url = f"{PROFILES}{new.pk}/make-default/"
    assert operator.get(url).status_code == 403
    assert operator.post(url, {"_form_submitted": "on"}).status_code == 403

    assert StreamingProfile.default() != new


def test_the_default_profile_is_not_deleted(root: Client) -> None:
    default, other = StreamingProfile.default(), ProfileFactory.create()

    assert root.get(f"{PROFILES}{default.pk}/delete/").status_code == 403
    chosen = {"_selected_action": [default.pk, other.pk], "post": "yes"}
    refused = root.post(PROFILES, chosen | {"action": "delete_selected"})

    assert refused.status_code == 403
    assert StreamingProfile.objects.count() == 2


def test_a_profile_that_a_rule_answers_with_is_not_deleted(root: Client) -> None:
    profile = ProfileFactory.create()
    RuleFactory.create(profile=profile)

    root.post(f"{PROFILES}{profile.pk}/delete/", {"post": "yes"})

    assert StreamingProfile.objects.filter(pk=profile.pk).exists()


def test_a_profile_called_default_becomes_it_when_there_is_none() -> None:
    named = ProfileFactory.create(name="Default", sample_rate=24_000)

    assert StreamingProfile.default() == named
    assert StreamingProfile.objects.get(is_default=True) == named


def test_the_page_of_a_profile_says_who_answers_with_it(root: Client) -> None:
    profile = ProfileFactory.create()
    rule = RuleFactory.create(name="Desk", profile=profile)

    page = text_of(root.get(f"{PROFILES}{profile.pk}/change/"))

    assert f'href="{LIST}{rule.pk}/change/">Desk</a>' in page
    assert FORECAST in page


# --- thresholds of alarms -----------------------------------------------------------


def test_a_profile_may_have_thresholds_of_its_own(root: Client) -> None:
    form = profile_form(alarm_dead_air_seconds="25", alarm_quiet_dbfs="-50.5")
    root.post(f"{PROFILES}add/", form | {"alarm_gaps_percent": "0"})

    profile = StreamingProfile.objects.get(name=form["name"])
    own = {"dead_air_seconds": 25, "quiet_dbfs": -50.5, "gaps_percent": 0}
    assert profile.alarm_thresholds == own

    page = root.get(f"{PROFILES}{profile.pk}/change/").content.decode()
    assert 'name="alarm_dead_air_seconds" value="25.0"' in page
    # What is not set is everybody's, and is shown.
    assert 'placeholder="20 s"' in page

    root.post(f"{PROFILES}{profile.pk}/change/", form | {"alarm_quiet_dbfs": ""})
    profile.refresh_from_db()
    assert profile.alarm_thresholds == {"dead_air_seconds": 25}
    entry = AuditEntry.objects.order_by("-at", "-pk").first()
    assert entry is not None
    changed = {"alarm_quiet_dbfs": [-50.5, None], "alarm_gaps_percent": [0, None]}
    assert entry.details["fields"] == changed


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"alarm_dead_air_seconds": "soon"}, "Enter a number."),
        ({"alarm_dead_air_seconds": "-1"}, "Must be from 0 to 100000 s."),
        ({"alarm_quiet_dbfs": "3"}, "Must be from -60 to 0 dBFS."),
        ({"alarm_gaps_percent": "nan"}, "Enter a number."),
        ({"alarm_gaps_percent": "101"}, "Must be from 0 to 100 %."),
    ],
)
def test_refuses_thresholds_that_cannot_be(
    root: Client, fields: dict[str, str], words: str
) -> None:
    response = root.post(f"{PROFILES}add/", profile_form(**fields))

    assert response.status_code == 200
    assert words in text_of(response)


def test_a_threshold_that_nobody_knows_is_refused() -> None:
    profile = ProfileFactory.build(alarm_thresholds={"dead_air": 3})

    with pytest.raises(ValidationError, match="dead_air: there is no such threshold"):
        profile.full_clean()
