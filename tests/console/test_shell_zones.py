"""Times in the zone of who reads them, UTC beside them, and dates as their days."""

from datetime import UTC, datetime

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from calls import markup
from calls.models import Call
from calls.zones import RENAMED, ZoneChoice, known_zone, zone_of
from tests.factories import CallFactory, CommandFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

CALLS = "/admin/calls/call/"
COMMANDS = "/admin/calls/streamcommand/"


def page(client: Client, cookie: str, path: str) -> str:
    """Return a page as a browser with this cookie gets it."""
    client.cookies["zone"] = cookie
    return client.get(path).content.decode()


def test_a_page_shows_times_in_the_browser_s_zone_with_utc_on_pointing(
    operator: Client,
) -> None:
    CommandFactory.create(asked_at=datetime(2026, 3, 4, 22, 5, 6, tzinfo=UTC))

    text = page(operator, "browser:Asia/Tokyo", COMMANDS)

    assert (
        '<time datetime="2026-03-04T22:05:06+00:00"'
        ' title="2026-03-04 22:05:06.000 UTC">2026-03-05 07:05:06</time>'
    ) in text
    assert '<meta name="zone" content="Asia/Tokyo" data-again="yes">' in text


def test_who_chose_the_installation_s_zone_or_utc_gets_it(operator: Client) -> None:
    CommandFactory.create(asked_at=datetime(2026, 3, 4, 22, 5, 6, tzinfo=UTC))

    with override_settings(TIME_ZONE="America/New_York"):
        there = page(operator, "installation:Asia/Tokyo", COMMANDS)
        utc = page(operator, "utc:Asia/Tokyo", COMMANDS)

    assert ">2026-03-04 17:05:06</time>" in there
    assert ">2026-03-04 22:05:06</time>" in utc


def test_the_hour_that_comes_twice_is_told_apart_by_utc() -> None:
    # Berlin put its clocks back at 01:00 UTC.
    first = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    second = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)

    with timezone.override("Europe/Berlin"):
        shown = [markup.moment(first), markup.moment(second)]

    assert all(">2026-10-25 02:30:00</time>" in one for one in shown)
    assert "00:30:00.000 UTC" in shown[0]
    assert "01:30:00.000 UTC" in shown[1]


def test_a_date_in_a_filter_is_the_reader_s_day(operator: Client) -> None:
    # In Auckland the day that has but 23 hours: summer time began at 02:00.
    inside = ["2026-09-26T12:00+00:00", "2026-09-27T10:59+00:00"]
    outside = ["2026-09-26T11:59+00:00", "2026-09-27T11:00+00:00"]
    calls = [
        CallFactory.create(rang_at=datetime.fromisoformat(at))
        for at in inside + outside
    ]

    asked = f"{CALLS}?rang_at_from_0=2026-09-27&rang_at_to_0=2026-09-27"
    text = page(operator, "browser:Pacific/Auckland", asked)

    shown = [str(call.pk) in text for call in calls]
    assert shown == [True, True, False, False]


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        ":",
        "browser",
        "browser:",
        "browser:Mars/Olympus",
        "browser:../../../etc/passwd",
        "browser:/etc/localtime",
        "browser:Factory\x00",
        "browser:" + "A" * 4_000,
        "installation",
        "nonsense:UTC:UTC",
        "browser:\xff\xfe",
    ],
)
def test_rubbish_in_the_cookie_is_as_good_as_none(
    operator: Client, rubbish: str
) -> None:
    CallFactory.create(rang_at=datetime(2026, 3, 4, 22, 5, tzinfo=UTC))

    assert ">2026-03-04 22:05</time>" in page(operator, rubbish, CALLS)
    assert zone_of(rubbish).name == "UTC"


def test_names_that_browsers_keep_are_told_as_they_are_today() -> None:
    assert zone_of("browser:Asia/Calcutta").name == "Asia/Kolkata"
    assert all(known_zone(new) for new in RENAMED.values())


def test_the_zone_of_one_answer_is_not_that_of_the_next(operator: Client) -> None:
    CallFactory.create(rang_at=datetime(2026, 3, 4, 22, 5, tzinfo=UTC))

    page(operator, "browser:Asia/Tokyo", CALLS)

    assert timezone.get_current_timezone_name() == "UTC"
    assert zone_of("").choice is ZoneChoice.BROWSER


def test_exports_stay_in_utc(root: Client) -> None:
    call = CallFactory.create(ended=True)

    told = page(root, "browser:Asia/Tokyo", f"/calls/{call.pk}/timeline.json")

    assert Call.objects.get().rang_at.isoformat()[:19] in told
