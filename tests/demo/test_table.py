"""What a terminal shows, and what it must not gloss over."""

import io
from dataclasses import replace

import pytest

from calls.live.ingest import LiveCall, LiveTrack
from demo.conversation import EchoRoundTrip
from demo.table import (
    Row,
    Screen,
    live_line,
    live_lines,
    notes,
    percent,
    report_of,
    verdict_line,
    verdict_lines,
)
from demo.verify import CallCheck, ParticipantCheck

CALLER = ParticipantCheck(
    raw_id="4:+12065550100",
    sent_packets=2000,
    stored_packets=2000,
    sent_silent_packets=800,
    silent_packets=800,
    unsent_packets=0,
    gap_ms=0,
    stopped_ms=0,
    completeness=1.0,
    sent_sha256="ab" * 32,
    stored_sha256="ab" * 32,
)
CALL = CallCheck(call_connection_id="c", kind="mixed", participants=[CALLER], sockets=1)
DAMAGED = replace(CALL, participants=[replace(CALLER, stored_sha256="cd" * 32)])


def track(raw_id: str, *, is_talking: bool) -> LiveTrack:
    return {
        "raw_id": raw_id,
        "packets": 500,
        "silent_packets": 100,
        "silence_ratio": 0.2,
        "talk_ms": 8000,
        "ms": 10_000,
        "rms_dbfs": -20.0,
        "peak_dbfs": -3.0,
        "gap_count": 0,
        "gap_ms": 0,
        "late": 0,
        "duplicates": 0,
        "jitter_ms": 1.0,
        "last_packet_at": 0.0,
        "is_talking": is_talking,
    }


LIVE: LiveCall = {
    "call_id": "1",
    "connections": 1,
    "sample_rate": 16_000,
    "mixed": False,
    "packets": 1000,
    "malformed": 0,
    "unknown": 0,
    "last_packet_at": 0.0,
    "completeness": 0.9999,
    "overtalk_ms": 0,
    "tracks": [
        track("4:+12065550100", is_talking=False),
        track("8:acs:agent", is_talking=True),
    ],
}
ROWS = [Row(1, "each speaker apart", "Streaming", LIVE), Row(2, "late", "Off", None)]


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "-"),
        (0, "0 %"),
        (0.5, "50.0 %"),
        (0.99999, "99.9 %"),
        (1, "100 %"),
    ],
)
def test_says_hundred_percent_only_if_nothing_is_missing(
    share: float | None, shown: str
) -> None:
    assert percent(share) == shown


def test_shows_who_talks_and_no_number() -> None:
    lines = live_lines(ROWS)

    assert lines[1].split() == [
        *("1", "each", "speaker", "apart", "streaming"),
        *("1,000", "20.0", "%", "-", "99.9", "%", "agent"),
    ]
    assert lines[2].split() == ["2", "late", "off"]


def test_says_in_one_line_what_a_log_needs() -> None:
    line = live_line(ROWS, 12.4)

    assert line.strip() == "12 s  2 calls (1 streaming, 1 off), 1,000 packets"


def test_ends_well_only_if_every_call_is_whole() -> None:
    assert verdict_line([CALL, CALL]) == (
        "OK: all 2 calls 100 % complete: 4,000 of 4,000 packets stored,"
        " 2 of 2 hashes equal."
    )
    assert verdict_line([CALL, DAMAGED]) == (
        "NOT OK: 1 of 2 calls failed; 4,000 of 4,000 packets stored,"
        " 1 of 2 hashes equal."
    )


def test_shows_the_damage_beside_the_participant() -> None:
    lines = verdict_lines([DAMAGED])

    assert "DIFFERENT" in lines[2]
    assert lines[3].strip() == (
        "NOT OK, caller: the recording is not the audio that was sent"
    )


def test_tells_a_stop_from_a_lost_socket() -> None:
    stopped = replace(CALLER, unsent_packets=50, stopped_ms=1000)
    cut_off = replace(CALLER, unsent_packets=50, gap_ms=1000, completeness=0.975)

    assert notes(CALL) == []
    assert notes(replace(CALL, participants=[stopped], sockets=2)) == [
        "Streaming was stopped by order for 1.0 s."
        " Nothing was sent, so nothing is lost."
    ]
    assert notes(replace(CALL, participants=[cut_off], sockets=2)) == [
        "The socket was down for 1.00 s: 50 packets of each speaker were never sent."
    ]


def test_reports_what_was_promised_to_machines() -> None:
    report = report_of([CALL])

    assert report["ok"] is True
    assert report["calls"] == [
        {
            "call_connection_id": "c",
            "kind": "mixed",
            "ok": True,
            "problems": [],
            "notes": [],
            "echo_round_trip_ms": None,
            "participants": [
                {
                    "raw_id": "4:+12065550100",
                    "sent_packets": 2000,
                    "stored_packets": 2000,
                    "silent_packets": 800,
                    "unsent_packets": 0,
                    "gap_ms": 0,
                    "stopped_ms": 0,
                    "completeness": 1.0,
                    "sent_sha256": "ab" * 32,
                    "stored_sha256": "ab" * 32,
                    "problems": [],
                }
            ],
        }
    ]


def test_tells_how_soon_an_echo_is_heard_and_warns_of_a_slow_one_only() -> None:
    soon = EchoRoundTrip(p50=19, p95=100, worst=140, frames=628)
    late = replace(soon, p95=101)

    calls = [replace(CALL, echo=soon), replace(CALL, echo=late)]
    lines = verdict_lines(calls)

    [first, second] = [line.strip() for line in lines if "Echo" in line]
    assert first.startswith("Echo: heard 19 ms after a frame was sent, 95 % within 100")
    [warning] = [number for number, line in enumerate(lines) if "WARNING" in line]
    assert second in lines[warning - 1]
    assert report_of(calls)["ok"]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_redraws_the_table_in_place_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", Terminal())
    out = Terminal()
    screen = Screen(out)

    screen.show(ROWS, 1)
    screen.show(ROWS, 2)
    screen.say("done")
    screen.show(ROWS, 3)

    assert out.getvalue().count("\x1b[3F\x1b[J") == 1


def test_writes_a_line_now_and_then_where_nobody_watches() -> None:
    out = io.StringIO()
    screen = Screen(out)

    screen.show(ROWS, 1)
    screen.show(ROWS, 2)

    assert len(out.getvalue().splitlines()) == 1


class Closed(io.StringIO):
    def write(self, _: str, /) -> int:
        raise BrokenPipeError


def test_goes_on_when_nobody_listens_any_more() -> None:
    Screen(Closed()).say("still here")
