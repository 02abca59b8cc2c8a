"""What a network does to calls, through a real ingest process to the finished files.

Each fault is played to a call of its own; one process takes them all, and all of them
are finished together.
"""

import asyncio
import gzip
import json
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from calls.journals.reading import Kind, read
from tests.faults.data_checks import TRACKS, assert_archive_is_clean, decoded, stored
from tests.recording.bench import timeline
from tests.streaming.conftest import migrated as migrated
from tests.streaming.house import House, closing, eventually
from tests.streaming.wire import ALICE, BOB, SAMPLES, audio, metadata

Socket = aiohttp.ClientWebSocketResponse


@dataclass
class Stage:
    """One call at a process, and who dials for it."""

    house: House
    acs: aiohttp.ClientSession
    call_id: UUID = field(default_factory=uuid4)

    async def dial(self) -> Socket:
        """Open one more socket of the call."""
        ws = await self.house.dial(self.acs, self.call_id)
        await ws.send_str(metadata())
        return ws

    async def heard(self, packets: int) -> None:
        """Wait until so many packets of the call are in journals."""
        await eventually(lambda: self._journaled() == packets)

    def _journaled(self) -> int:
        total = 0
        for path in self.house.journals:
            with read(path) as journal:
                if journal.header.call_id == self.call_id:
                    total += sum(one.kind == Kind.AUDIO for one in journal.records())
        return total

    async def over(self) -> None:
        """Wait until all sockets are closed."""
        await eventually(lambda: self.house.get("/healthz")[1]["streams"] == 0)


Fault = Callable[[Stage], Awaitable[None]]


@dataclass
class Archive:
    """What was stored of all calls, by the fault that was played to them."""

    house: House
    calls: dict[Fault, UUID]

    def tracks(self, fault: Fault) -> list[dict[str, Any]]:
        return self._of(fault, self.house.rows(TRACKS))

    def sockets(self, fault: Fault) -> list[dict[str, Any]]:
        query = "select * from calls_connection order by opened_at"
        return self._of(fault, self.house.rows(query))

    def _of(self, fault: Fault, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [row for row in rows if row["call_id"] == self.calls[fault].hex]

    def decoded(self, track: dict[str, Any]) -> bytes:
        return decoded(self.house, track["audio"])

    def leftovers(self, track: dict[str, Any]) -> list[dict[str, Any]]:
        with gzip.open(stored(self.house, track["leftovers"])) as lines:
            return [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def archive(
    tmp_path_factory: pytest.TempPathFactory, migrated: Path
) -> Iterator[Archive]:
    """What became of all faults; finished, and verified as a whole."""
    house = House(tmp_path_factory.mktemp("network") / "house", migrated).start()
    try:
        calls = asyncio.run(played(house))
        house.end()
        house.recover()
        assert_archive_is_clean(house)
        yield Archive(house, calls)
    finally:
        house.close()
    assert "Traceback" not in house.log.read_text()


async def played(house: House) -> dict[Fault, UUID]:
    """Play every fault to a call; return which call is whose."""
    calls: dict[Fault, UUID] = {}
    faults = (late_and_repeated, silent, held_back, redialled, two_sockets)
    async with aiohttp.ClientSession() as acs:
        for fault in faults:
            stage = Stage(house, acs)
            await fault(stage)
            await stage.over()
            calls[fault] = stage.call_id
    return calls


async def send(ws: Socket, numbers: Iterable[int], *speakers: str) -> None:
    """Send these packets as fast as the socket takes them."""
    for number in numbers:
        for speaker in speakers or (ALICE,):
            await ws.send_str(audio(number, speaker))


def figures(track: dict[str, Any]) -> dict[str, Any]:
    names = ("packets", "late", "duplicates", "discarded", "gap_count", "completeness")
    return {name: track[name] for name in names} | {
        "slots": track["samples"] / SAMPLES,
        "gap_slots": track["gap_samples"] / SAMPLES,
    }


def told(packets: int, slots: int, gaps: int = 0, lost: int = 0, **rest: int) -> object:
    """Return the figures of a track as they must be."""
    return {
        "packets": packets,
        "late": 0,
        "duplicates": 0,
        "discarded": 0,
        "gap_count": gaps,
        "completeness": pytest.approx(1 - lost / slots, abs=1e-9),
        "slots": slots,
        "gap_slots": lost,
    } | rest


LATE, SWAPPED, TWICE = {50, 120, 171}, {30, 90, 160}, {20, 21, 80, 140}


async def late_and_repeated(stage: Stage) -> None:
    # Late ones come ten packets late; swapped ones trade places with the next.
    place = {n: n + 10.5 if n in LATE else n for n in range(200)}
    place |= {n: n + 1.5 for n in SWAPPED}
    order = sorted(place, key=lambda number: place[number])
    ws = await stage.dial()
    await send(ws, (n for number in order for n in [number] * (1 + (number in TWICE))))
    await ws.close()


def test_late_and_repeated_packets_end_in_order_and_once(archive: Archive) -> None:
    [track] = archive.tracks(late_and_repeated)

    assert archive.decoded(track) == timeline(range(200), 200)
    # All of them came behind something that was spoken after them.
    behind = len(LATE | SWAPPED)
    assert figures(track) == told(204, 200, late=behind, duplicates=len(TWICE))
    assert len(archive.leftovers(track)) == len(TWICE)


async def silent(stage: Stage) -> None:
    ws = await stage.dial()
    await send(ws, range(100))
    await stage.heard(100)
    await send(ws, range(9_100, 9_200))
    await ws.close()


def test_three_minutes_without_a_packet_are_three_minutes_of_gap(
    archive: Archive,
) -> None:
    [track] = archive.tracks(silent)

    spoken = [*range(100), *range(9_100, 9_200)]
    assert archive.decoded(track) == timeline(spoken, 9_200)
    assert figures(track) == told(200, 9_200, gaps=1, lost=9_000)


async def held_back(stage: Stage) -> None:
    ws = await stage.dial()
    began = time.monotonic()
    for number in range(25):
        await send(ws, [number], ALICE, BOB)
        await asyncio.sleep(max(0, began + number * 0.02 - time.monotonic()))

    # The fault itself: the network stands still for three seconds.
    await asyncio.sleep(3)
    await send(ws, range(25, 200), ALICE, BOB)
    await ws.close()


def test_what_a_stall_held_back_comes_at_once_and_is_in_its_place(
    archive: Archive,
) -> None:
    tracks = archive.tracks(held_back)

    assert [track["raw_id"] for track in tracks] == [BOB, ALICE]
    for track in tracks:
        assert archive.decoded(track) == timeline(range(200), 200)
        assert figures(track) == told(200, 200)


async def redialled(stage: Stage) -> None:
    for dialled in range(13):
        ws = await stage.dial()
        await send(ws, spoken_in(dialled), ALICE, BOB)
        # What has not been read when a connection is reset was never received.
        await stage.heard(50 * (dialled + 1))
        if dialled % 2:
            reset(ws)
        else:
            await ws.close()
        await stage.over()


def spoken_in(dialled: int) -> range:
    """Return the packets of one of the sockets; the five behind them are lost."""
    return range(dialled * 30, dialled * 30 + 25)


def reset(ws: Socket) -> None:
    """End the TCP connection under a socket, with no close frame."""
    connection = ws._response.connection
    assert connection is not None
    assert connection.transport is not None
    connection.transport.abort()


def test_a_call_redialled_twelve_times_lacks_what_was_said_between(
    archive: Archive,
) -> None:
    tracks = archive.tracks(redialled)

    assert [track["raw_id"] for track in tracks] == [BOB, ALICE]
    spoken = [number for dialled in range(13) for number in spoken_in(dialled)]
    for track in tracks:
        assert archive.decoded(track) == timeline(spoken, 385)
        assert figures(track) == told(325, 385, gaps=12, lost=60)
    sockets = archive.sockets(redialled)
    assert [row["packets"] for row in sockets] == [50] * 13
    assert [row["close_code"] for row in sockets] == [1000, 1006] * 6 + [1000]


async def two_sockets(stage: Stage) -> None:
    old = await stage.dial()
    await send(old, range(30))
    await stage.heard(30)
    new = await stage.dial()
    await send(new, range(50, 80))
    await stage.heard(60)

    # On its way when ACS dialled again; the newer socket brings some of it too.
    await send(old, range(30, 50))
    await stage.heard(80)
    await send(new, [*range(45, 50), *range(80, 100)])
    assert await closing(old) == 1000
    await new.close()


def test_of_two_sockets_the_newer_wins_and_the_olders_backlog_is_kept(
    archive: Archive,
) -> None:
    [track] = archive.tracks(two_sockets)

    assert archive.decoded(track) == timeline(range(100), 100)
    assert figures(track) == told(105, 100, late=20, duplicates=5)
    assert len(archive.leftovers(track)) == 5
    older, newer = archive.sockets(two_sockets)
    assert older["close_reason"] == "superseded by a newer socket"
    assert (older["packets"], newer["packets"]) == (50, 55)
