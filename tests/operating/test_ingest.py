"""What an ingest process counts and needs."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from calls.health.findings import report
from calls.live.ingest import LiveTotals
from calls.load import LiveLoad
from streaming import rows
from streaming.call_audio import CallAudio
from streaming.ingest import MediaSession
from streaming.readiness import ingest_findings
from streaming.recorder import Recorder
from streaming.totals import Totals
from tests.streaming.desk import Desk
from tests.streaming.wire import PACKET_US, audio, metadata

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Desk(tmp_path) as desk:
        yield desk


def speak(session: MediaSession, *numbers: int) -> None:
    """Let packets come as they are captured, or as late as they are."""
    for number in numbers:
        session.take(audio(number), number * PACKET_US + 100_000)


def opened(desk: Desk) -> MediaSession:
    session = desk.socket()
    session.take(metadata(), 0)
    return session


def looked(totals: Totals, desk: Desk) -> LiveTotals:
    totals.look()
    return totals.told([desk.call], dropped=0, refused={"room": 2})


def test_counts_never_fall(desk: Desk) -> None:
    totals, session = Totals(), opened(desk)
    totals.opened(desk.call)
    speak(session, *range(10), *range(30, 40))
    before = looked(totals, desk)
    # What was missing comes, late: it is no gap any more.
    speak(session, *range(10, 30))
    after = looked(totals, desk)
    speak(session, *range(60, 70))
    later = looked(totals, desk)

    assert (before["packets"], before["gaps"], before["gap_ms"]) == (20, 1, 400)
    assert (after["packets"], after["gaps"], after["gap_ms"]) == (40, 1, 400)
    assert after["late"] == 20
    assert (later["gaps"], later["gap_ms"]) == (1, 400)
    assert (later["sockets"], later["refused"]) == (1, {"room": 2})


def test_does_not_count_again_what_a_call_had_before(desk: Desk) -> None:
    session = opened(desk)
    speak(session, *range(10), *range(30, 40))
    totals = Totals()

    totals.opened(desk.call)
    first = looked(totals, desk)
    speak(session, *range(60, 70))

    assert first["gaps"] == 0
    assert looked(totals, desk)["gaps"] == 1


def test_keeps_the_counts_of_sockets_that_closed(desk: Desk) -> None:
    totals, session = Totals(), opened(desk)
    totals.opened(desk.call)
    speak(session, *range(10))
    session.take("{", 300_000)
    speak(session, *range(30, 40))
    desk.seal(session)
    totals.closed(session)

    told = looked(totals, desk)

    assert (told["packets"], told["malformed"], told["gaps"]) == (20, 1, 1)
    assert looked(totals, desk) == told


async def test_needs_neither_database_nor_redis(settings: Any, tmp_path: Path) -> None:
    settings.JOURNAL_DIR = tmp_path
    house = Recorder()
    house.archive.error = "gone"
    house.live.error = "gone"

    told = report(ingest_findings(house))

    assert (told["ready"], told["critical"]) == (True, [])
    assert told["warnings"] == ["database", "redis"]
    house.drain()
    assert report(ingest_findings(house))["critical"] == ["admission"]
    await house.live.redis.aclose()


async def test_a_drain_alarms_nobody(settings: Any, tmp_path: Path) -> None:
    settings.JOURNAL_DIR = tmp_path
    house, watched = Recorder(), []

    def weigh(load: LiveLoad, streams: int) -> None:
        watched.append(load["state"])

    house.guard.weigh = weigh  # type: ignore[method-assign] # who would alarm
    house.showing.weigh(1.0)

    house.drain()
    house.showing.weigh(2.0)

    # It refuses, but because it was told to.
    assert house.showing.load()["state"] == "full"
    assert watched == ["ok"]
    assert house.showing.snapshot([])["draining"]
    await house.live.redis.aclose()


def kinds_named(path: str, name: str, position: int) -> set[str]:
    """Return the words that calls of `name` have at a place."""
    tree = ast.parse((ROOT / path).read_text())
    return {
        word.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == name
        for argument in call.args[position : position + 1]
        for word in ast.walk(argument)
        if isinstance(word, ast.Constant) and isinstance(word.value, str)
    }


async def test_counts_refusals_of_every_kind_from_nought() -> None:
    house = Recorder()
    named = kinds_named("streaming/auth.py", "Refusal", 0)
    of_tokens = kinds_named("calls/doors/tokens.py", "TokenRefused", 1)

    assert {"secret", "ended", "connection", "crowd"} <= named
    assert {"missing", "keys", "unknown_key"} <= of_tokens
    wanted = named | {f"token_{kind}" for kind in of_tokens} | {"room", "probe"}
    assert wanted <= house.refused.keys()
    assert house.refused["token_expired"] == house.refused.total() == 0
    assert house.showing.snapshot([])["totals"]["refused"]["crowd"] == 0
    await house.live.redis.aclose()


@pytest.mark.django_db(transaction=True)
async def test_forgets_an_idle_call_but_not_what_has_taken_its_place(
    settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.JOURNAL_DIR = tmp_path
    house = Recorder()
    old, again = [CallAudio(uuid4()) for _ in range(rows.AT_ONCE)], uuid4()
    for call in (*old, CallAudio(again)):
        house.calls[call.call_id] = call
        call.idle_since = -2 * rows.FORGET_AFTER
    redialled = CallAudio(again)

    async def redial(_: float) -> None:
        # While others are looked at, a socket opens and the call is known anew.
        house.calls[again] = redialled

    monkeypatch.setattr("streaming.rows.asyncio.sleep", redial)
    await house.rows._rows(0.0)

    assert list(house.calls.values()) == [redialled]
    await house.stop()
