"""What the demo shows in a terminal: figures while calls run, verdicts afterwards."""

import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import IO

from calls.live.ingest import LiveCall
from demo.conversation import ECHO_BAR_MS, EchoRoundTrip
from demo.verify import PACKET_MS, CallCheck, ParticipantCheck

LOG_SECONDS = 5.0
# Narrower, and the columns that matter are cut off.
LEAST_WIDTH = 60
ROLES = {"4": "caller", "8:acs": "agent", "8:orgid": "colleague", "mixed": "everyone"}
HEAD = (
    f"{'#':>3}  {'call':<31} {'streaming':<10} {'packets':>8} {'silent':>7}"
    f" {'gaps':>8} {'complete':>9}  talking"
)
VERDICT_HEAD = (
    f"{'#':>3}  {'participant':<31} {'sent':>8} {'stored':>8} {'silent':>7}"
    f" {'received':>9} {'ledger':>8}  SHA-256"
)


@dataclass(frozen=True, slots=True)
class Row:
    """One call now. `figures` is None until its first packet."""

    number: int
    name: str
    streaming: str
    figures: LiveCall | None


class Screen:
    """Prints lines; on a terminal it can redraw the last block in place."""

    def __init__(self, out: IO[str] | None = None) -> None:
        """Write to `out`, or to standard output."""
        self._out = out or sys.stdout
        # Somebody who can press Ctrl-C, and sees what is drawn.
        self.is_terminal = self._out.isatty() and sys.stdin.isatty()
        self._drawn = 0
        self._said_at = 0.0

    def say(self, text: str = "") -> None:
        """Print lines that stay; a block that was drawn stays above them."""
        self._drawn = 0
        self._write(text + "\n")

    def _write(self, text: str) -> None:
        # Nobody may be listening any more (`| head`, a closed terminal): the run and
        # its exit code are worth finishing all the same.
        with suppress(OSError):
            self._out.write(text)
            self._out.flush()

    def show(self, rows: Sequence[Row], seconds: float) -> None:
        """Show how the calls are: a table in place, or now and then a line."""
        if self.is_terminal:
            self._redraw(live_lines(rows))
        elif time.monotonic() - self._said_at >= LOG_SECONDS:
            self._said_at = time.monotonic()
            self.say(live_line(rows, seconds))

    def _redraw(self, lines: Sequence[str]) -> None:
        width = max(shutil.get_terminal_size().columns - 1, LEAST_WIDTH)
        # Up to where the block began; everything from there on is erased.
        up = f"\x1b[{self._drawn}F\x1b[J" if self._drawn else ""
        self._write(up + "".join(f"{line[:width]}\n" for line in lines))
        self._drawn = len(lines)


def live_lines(rows: Sequence[Row]) -> list[str]:
    """Return the table of calls as they are now."""
    return [HEAD, *(_live_line(row) for row in rows)]


def _live_line(row: Row) -> str:
    head = f"{row.number:>3}  {row.name:<31} {row.streaming.lower():<10}"
    if row.figures is None:
        return head
    tracks = row.figures["tracks"]
    packets = row.figures["packets"]
    silent = sum(track["silent_packets"] for track in tracks)
    talking = [role(track["raw_id"]) for track in tracks if track["is_talking"]]
    gap = sum(track["gap_ms"] for track in tracks)
    return (
        f"{head} {packets:>8,} {percent(silent / packets if packets else None):>7}"
        f" {f'{gap:,} ms' if gap else '-':>8}"
        f" {percent(row.figures['completeness']):>9}  {', '.join(talking)}"
    )


def live_line(rows: Sequence[Row], seconds: float) -> str:
    """Return one line about all calls, for logs."""
    figures = [row.figures for row in rows if row.figures]
    packets = sum(each["packets"] for each in figures)
    states: dict[str, int] = {}
    for row in rows:
        states[row.streaming.lower()] = states.get(row.streaming.lower(), 0) + 1
    told = ", ".join(f"{count} {state}" for state, count in states.items())
    return f"{seconds:5.0f} s  {len(rows)} calls ({told}), {packets:,} packets"


def role(raw_id: str) -> str:
    """Return who a raw id is in the demo, by its kind."""
    return next(
        (name for prefix, name in ROLES.items() if raw_id.startswith(prefix)), raw_id
    )


def percent(share: float | None) -> str:
    """Return a share as a percentage that says 100 only if nothing is missing."""
    if share is None:
        return "-"
    if 0.999 <= share < 1:
        return "99.9 %"
    return f"{share * 100:.0f} %" if share in (0, 1) else f"{share * 100:.1f} %"


def verdict_lines(checks: Sequence[CallCheck]) -> list[str]:
    """Return the table of what was sent, what is stored, and whether it is the same."""
    lines = [VERDICT_HEAD]
    for number, check in enumerate(checks, 1):
        lines.append(f"{number:>3}  {check.kind}")
        lines += [_verdict_line(each) for each in check.participants]
        lines += [f"     {note}" for note in notes(check)]
        lines += [f"     {line}" for line in _echo_lines(check.echo)]
        lines += [f"     NOT OK: {problem}" for problem in check.problems]
        lines += [
            f"     NOT OK, {role(each.raw_id)}: {problem}"
            for each in check.participants
            for problem in each.problems
        ]
    return lines


def _verdict_line(each: ParticipantCheck) -> str:
    share = each.stored_packets / each.sent_packets if each.sent_packets else None
    return (
        f"{'':>3}  {role(each.raw_id):<31} {each.sent_packets:>8,}"
        f" {each.stored_packets:>8,} {each.silent_packets:>7,} {percent(share):>9}"
        f" {percent(each.completeness):>8}  {'equal' if each.is_equal else 'DIFFERENT'}"
        f" {each.sent_sha256[:8]}"
    )


def _echo_lines(echo: EchoRoundTrip | None) -> list[str]:
    """Return how soon an echo was heard, and a warning if that was late."""
    if echo is None:
        return []
    lines = [
        f"Echo: heard {echo.p50} ms after a frame was sent, 95 % within {echo.p95} ms,"
        f" at worst {echo.worst} ms ({echo.frames:,} frames)."
    ]
    if echo.is_slow:
        lines.append(
            f"WARNING: 95 % are to be heard within {ECHO_BAR_MS} ms. Is this machine"
            " busy?"
        )
    return lines


def notes(check: CallCheck) -> list[str]:
    """Return in words why packets were not sent, where some were not."""
    found = []
    stopped = max((each.stopped_ms for each in check.participants), default=0)
    unsent = max((each.unsent_packets for each in check.participants), default=0)
    down = unsent - stopped // PACKET_MS
    if stopped:
        found.append(
            f"Streaming was stopped by order for {stopped / 1000:.1f} s. Nothing was"
            " sent, so nothing is lost."
        )
    if down > 0 and check.sockets > 1:
        found.append(
            f"The socket was down for {down * PACKET_MS / 1000:.2f} s:"
            f" {down} packets of each speaker were never sent."
        )
    return [*found, *check.said]


def verdict_line(checks: Sequence[CallCheck]) -> str:
    """Return the last line: all is well, or how much is not."""
    participants = [each for check in checks for each in check.participants]
    sent = sum(each.sent_packets for each in participants)
    stored = sum(each.stored_packets for each in participants)
    equal = sum(each.is_equal for each in participants)
    figures = (
        f"{stored:,} of {sent:,} packets stored,"
        f" {equal} of {len(participants)} hashes equal"
    )
    failed = sum(not check.is_ok for check in checks)
    if failed:
        return f"NOT OK: {failed} of {len(checks)} calls failed; {figures}."
    return f"OK: all {len(checks)} calls 100 % complete: {figures}."


def report_of(checks: Sequence[CallCheck]) -> dict[str, object]:
    """Return the verdict for machines."""
    return {
        "ok": bool(checks) and all(check.is_ok for check in checks),
        "calls": [_call_report(check) for check in checks],
    }


def _call_report(check: CallCheck) -> Mapping[str, object]:
    return {
        "call_connection_id": check.call_connection_id,
        "kind": check.kind,
        "ok": check.is_ok,
        "problems": list(check.problems),
        "notes": notes(check),
        "echo_round_trip_ms": asdict(check.echo) if check.echo else None,
        "participants": [_participant_report(each) for each in check.participants],
    }


def _participant_report(each: ParticipantCheck) -> Mapping[str, object]:
    return {
        "raw_id": each.raw_id,
        "sent_packets": each.sent_packets,
        "stored_packets": each.stored_packets,
        "silent_packets": each.silent_packets,
        "unsent_packets": each.unsent_packets,
        "gap_ms": each.gap_ms,
        "stopped_ms": each.stopped_ms,
        "completeness": each.completeness,
        "sent_sha256": each.sent_sha256,
        "stored_sha256": each.stored_sha256,
        "problems": each.problems,
    }
