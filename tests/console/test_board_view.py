"""A viewer's view: what of it makes sense, and which rows it shows in which order."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from calls.board.facts import AlarmFact, BoardFacts, CallFact
from calls.board.line import Line, Measured, line
from calls.board.view import (
    MOST_PINNED,
    Filter,
    View,
    ViewError,
    rows_ordered,
    view_of_address,
    view_read,
)
from calls.models import CallState, StreamingState
from tests.console.snapshots import live_call_of, live_track

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def row(
    *,
    live: dict[str, Any] | None = None,
    node: str = "a",
    alarms: tuple[int, ...] = (),
    listeners: tuple[str, ...] = (),
    names: dict[str, str] | None = None,
    **fields: Any,
) -> Line:
    """One call; `live` are the figures of its one participant."""
    fact = CallFact(
        **{
            "id": uuid4(),
            "state": "connected",
            "direction": "inbound",
            "from_raw_id": "4:+12065550100",
            "to_raw_id": "4:+18005550199",
            "caller_name": "",
            "rang_at": NOON,
            "connected_at": None,
            "ended_at": None,
            "desired_streaming": True,
            "streaming_state": "streaming",
            "streaming_reason": "",
            "paused_at": None,
            "paused_why": "",
            "completeness": None,
            "last_packet_at": None,
            "profile_id": None,
            **fields,
        }
    )
    facts = BoardFacts(
        alarms={fact.id: [AlarmFact(severity, "words") for severity in alarms]},
        names={fact.id: names or {}},
    )
    measured = None
    if live is not None:
        quiet = live.pop("quiet", 0.0)
        tracks = [live_track(fact.from_raw_id, **live)]
        measured = Measured(live_call_of(str(fact.id), tracks), node, quiet)
    return line(fact, facts, measured, listeners, NOON)


def shown(rows: list[Line], **view: Any) -> list[int]:
    """Return the places of the rows that the view shows, in its order."""
    return [rows.index(one) for one in rows_ordered(rows, View(**view))]


# --- what a browser tells -----------------------------------------------------------


def test_an_empty_view_is_the_usual_one() -> None:
    assert view_read("{}") == View()


def test_reads_everything_a_view_has() -> None:
    one = UUID("a1b2c3d4-0000-4000-8000-000000000000")
    sent = {
        "sort": "-alarms",
        "filter": {
            "state": "ringing",
            "streaming": "stalled",
            "severity": 2,
            "profile": 3,
            "node": "a",
            "incomplete": True,
            "pinned": True,
        },
        "search": "ada",
        "pinned": [str(one)],
        "selected": str(one),
        "first": 20,
        "count": 40,
        "number": 5,
    }
    assert view_read(msgspec.json.encode(sent).decode()) == View(
        sort="-alarms",
        filter=Filter(
            state=CallState.RINGING,
            streaming=StreamingState.STALLED,
            severity=2,
            profile=3,
            node="a",
            incomplete=True,
            pinned=True,
        ),
        search="ada",
        pinned=(one,),
        selected=one,
        first=20,
        count=40,
        number=5,
    )


@pytest.mark.parametrize(
    "sent",
    [
        "",
        "nonsense",
        "[]",
        "null",
        '{"sort": "colour"}',
        '{"sort": "--duration"}',
        '{"filter": {"severity": 4}}',
        '{"filter": {"severity": "2"}}',
        '{"filter": {"profile": 0}}',
        '{"filter": {"incomplete": 1}}',
        '{"filter": {"colour": "red"}}',
        '{"search": 5}',
        f'{{"search": "{"x" * 101}"}}',
        '{"pinned": ["me"]}',
        f'{{"pinned": {msgspec.json.encode([uuid4()] * (MOST_PINNED + 1)).decode()}}}',
        '{"selected": "me"}',
        '{"first": -1}',
        '{"first": 1.5}',
        '{"count": 0}',
        '{"count": 1000}',
        '{"search": "\ud800"}',
        "x" * 20_000,
        "[" * 10_000,
        '{"filter": ' * 1_400,
    ],
)
def test_refuses_what_is_no_view(sent: str) -> None:
    with pytest.raises(ViewError):
        view_read(sent)


# --- the page's address -------------------------------------------------------------


def test_an_address_holds_a_view() -> None:
    address = {
        "q": "ada", "sort": "-alarms", "severity": "2", "profile": "3",
        "node": "a", "state": "ringing", "incomplete": "1",
    }  # fmt: skip
    assert view_of_address(address) == View(
        sort="-alarms",
        search="ada",
        filter=Filter(
            state=CallState.RINGING, severity=2, profile=3, node="a", incomplete=True
        ),
    )


def test_what_makes_no_sense_in_an_address_is_left_out() -> None:
    address = {
        "sort": "colour", "state": "asleep", "severity": "9", "profile": "x",
        "page": "4", "count": "1000000", "streaming": "stalled", "q": "y" * 200,
    }  # fmt: skip
    wanted = Filter(streaming=StreamingState.STALLED)
    assert view_of_address(address) == View(filter=wanted)


# --- order --------------------------------------------------------------------------


def test_the_newest_call_is_on_top_unless_one_asks_otherwise() -> None:
    rows = [row(rang_at=NOON - timedelta(minutes=age)) for age in (5, 1, 9)]
    assert shown(rows) == [1, 0, 2]
    assert shown(rows, sort="-duration") == [2, 0, 1]


def test_a_call_lasts_from_its_answer_on() -> None:
    rang = NOON - timedelta(minutes=9)
    rows = [row(rang_at=rang, connected_at=NOON), row(rang_at=rang)]
    assert shown(rows) == [0, 1]


@pytest.mark.parametrize("sort", ["completeness", "-completeness"])
def test_what_is_not_known_comes_last_both_ways(sort: str) -> None:
    rows = [row(), row(completeness=1.0), row(completeness=0.5)]
    assert shown(rows, sort=sort)[-1] == 0


@pytest.mark.parametrize(
    ("sort", "values", "order"),
    [
        ("state", [{"state": "connected"}, {"state": "ringing"}], [1, 0]),
        (
            "streaming",
            [{"streaming_state": "stalled"}, {"streaming_state": "off"}],
            [1, 0],
        ),
        ("from", [{"caller_name": "mei"}, {"caller_name": "Ada"}], [1, 0]),
        ("to", [{"to_raw_id": "4:+2"}, {"to_raw_id": "4:+1"}], [1, 0]),
        ("-alarms", [{"alarms": (2, 2)}, {"alarms": (3,)}, {}], [1, 0, 2]),
        ("-alarms", [{"alarms": (2,)}, {"alarms": (2, 1)}], [1, 0]),
        ("-listeners", [{}, {"listeners": ("ada",)}], [1, 0]),
        ("-quiet", [{"live": {"quiet": 1.0}}, {"live": {"quiet": 9.0}}, {}], [1, 0, 2]),
        (
            "-silence",
            [{"live": {"silent_packets": 10}}, {"live": {"silent_packets": 90}}],
            [1, 0],
        ),
    ],
)
def test_sorts_by(sort: str, values: list[dict[str, Any]], order: list[int]) -> None:
    assert shown([row(**fields) for fields in values], sort=sort) == order


def test_equal_rows_keep_their_order() -> None:
    rows = [row(), row(), row()]
    assert shown(rows, sort="state") == shown(rows, sort="-state") == [0, 1, 2]


def test_pinned_calls_are_on_top_in_the_same_order() -> None:
    rows = [row(rang_at=NOON - timedelta(minutes=age)) for age in range(4)]
    pinned = (rows[3].id, rows[2].id, uuid4())
    assert shown(rows, pinned=pinned) == [2, 3, 0, 1]
    assert shown(rows, pinned=pinned, filter=Filter(pinned=True)) == [2, 3]


# --- filter -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "match", "other"),
    [
        ({"state": CallState.RINGING}, {"state": "ringing"}, {}),
        (
            {"streaming": StreamingState.STALLED},
            {"streaming_state": "stalled"},
            {"streaming_state": "streaming"},
        ),
        ({"severity": 1}, {"alarms": (1,)}, {}),
        ({"severity": 3}, {"alarms": (3, 1)}, {"alarms": (2,)}),
        ({"profile": 4}, {"profile_id": 4}, {"profile_id": 5}),
        ({"node": "b"}, {"live": {}, "node": "b"}, {"live": {}, "node": "a"}),
        ({"incomplete": True}, {"completeness": 0.999}, {"completeness": 1.0}),
        ({"incomplete": True}, {"completeness": 0.0}, {"completeness": None}),
    ],
)
def test_filters_by(
    wanted: dict[str, Any], match: dict[str, Any], other: dict[str, Any]
) -> None:
    assert shown([row(**other), row(**match)], filter=Filter(**wanted)) == [1]


def test_all_filters_have_to_match() -> None:
    rows = [row(alarms=(3,)), row(profile_id=4), row(alarms=(3,), profile_id=4)]
    assert shown(rows, filter=Filter(severity=2, profile=4)) == [2]


def test_a_call_that_has_just_ended_stays_where_it_was_looked_at() -> None:
    rows = [row(state="ended", streaming_state="stopped"), row(state="ringing")]
    states = Filter(state=CallState.CONNECTED, streaming=StreamingState.STREAMING)
    assert shown(rows, filter=states) == [0]


@pytest.mark.parametrize(
    ("search", "is_found"),
    [
        ("ada", True),
        ("OKAFOR ada", True),
        ("adam", False),
        ("206 555 0100", True),
        ("(206) 555-01", True),
        ("+12065550100", True),
        ("0199", True),
        ("2065550199", False),
        ("206 0100 555", False),
        ("lindqvist", True),
        ("8:acs:agent", True),
        ("   ", True),
    ],
)
def test_searches_names_numbers_and_participants(search: str, is_found: bool) -> None:
    rows = [row(caller_name="Ada Okafor", names={"8:acs:agent": "Sofia Lindqvist"})]
    assert shown(rows, search=search) == ([0] if is_found else [])
