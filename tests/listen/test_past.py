"""The past of a call, read from its journals: any moment, any socket, any process."""

import random
import tempfile
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.journals.reading import read
from streaming.listen.past import PastDesk
from streaming.listen.wire import Packet, Past, Read
from tests.listen.bench import START_US, past_of, written
from tests.streaming.desk import Desk
from tests.streaming.wire import (
    ALICE,
    BOB,
    PACKET_US,
    RATE,
    SAMPLES,
    audio,
    metadata,
    voice,
)


def ask(desk: Desk, from_us: int, cursor: dict[str, int] | None = None) -> Read:
    return Read(
        web="web",
        call=str(desk.call.call_id),
        ask=str(uuid4()),
        cursor=cursor,
        from_us=START_US + from_us,
    )


def whole(past: PastDesk, desk: Desk, from_us: int) -> list[Past]:
    """Return all pieces from a moment on."""
    pieces: list[Past] = []
    cursor = None
    while not pieces or not pieces[-1].is_end:
        piece = past.piece(desk.call.call_id, ask(desk, from_us, cursor), "n")
        pieces.append(piece)
        cursor = piece.cursor
    return pieces


def numbers(pieces: list[Past], raw_id: str = ALICE) -> list[int]:
    """Return which packets of a speaker the pieces hold, in order."""
    return [
        (packet.stamp_us - START_US) // PACKET_US
        for piece in pieces
        for packet in piece.packets
        if piece.tracks[packet.track] == (raw_id, RATE)
    ]


def call(desk: Desk, seconds: int, *, first: int = 0, after: float = 0.0) -> Any:
    session = desk.socket(after=after)
    session.take(metadata(), 0)
    for number in range(first, first + seconds * 50):
        session.take(audio(number), (number - first) * PACKET_US)
    return session


@given(from_ms=st.integers(-1_000, 41_000), seed=st.integers(0, 2**32))
@settings(max_examples=20)
def test_gives_every_packet_from_a_moment_on_once_and_in_order(
    from_ms: int, seed: int
) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        session = desk.socket()
        session.take(metadata(), 0)
        arrival, sent = 0, []
        for number in range(2_000):
            # Late by up to a second, and in bursts.
            arrival = max(arrival, number * PACKET_US + chance.randrange(10**6))
            stamp = max(0, number + chance.choice((0, 0, 0, -3, 2)))
            session.take(audio(stamp), arrival)
            sent.append(stamp)
        desk.seal(session)
        with past_of(desk.folder) as past:
            pieces = whole(past, desk, from_ms * 1000)

    assert numbers(pieces) == [n for n in sent if n * 20 >= from_ms]
    assert len(pieces) <= 45


def test_names_who_spoke_although_the_name_stands_at_the_journals_beginning() -> None:
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        session = desk.socket()
        session.take(metadata(24_000), 0)
        for number in range(1_000):
            for who in (ALICE, BOB):
                pcm = voice(number, 480)
                session.take(audio(number, who, pcm=pcm), number * PACKET_US)
        desk.seal(session)
        with past_of(desk.folder) as past:
            piece = past.piece(desk.call.call_id, ask(desk, 15_000_000), "n")

    assert sorted(piece.tracks) == [(BOB, 24_000), (ALICE, 24_000)]
    assert piece.packets[0].pcm == voice(750, 480)


def test_reads_on_in_a_journal_that_is_being_written() -> None:
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        session = call(desk, 2)
        with past_of(desk.folder) as past:
            written(desk)
            before = whole(past, desk, 0)
            for number in range(100, 150):
                session.take(audio(number), number * PACKET_US)
            written(desk)
            cursor = before[-1].cursor
            after = past.piece(desk.call.call_id, ask(desk, 0, cursor), "n")

    assert numbers(before) == list(range(100))
    assert numbers([after]) == list(range(100, 150))
    assert after.is_end


def test_reads_what_a_killed_process_left_and_then_its_successors_journal() -> None:
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        first = desk.seal(call(desk, 4))
        desk.seal(call(desk, 4, first=250, after=5.0))
        # Killed while it wrote: no seal, half a record.
        first.write_bytes(first.read_bytes()[:-700])
        with past_of(desk.folder) as past:
            found = numbers(whole(past, desk, 1_000_000))

    assert found == [*range(50, found.index(250) + 50), *range(250, 450)]
    assert found[found.index(250) - 1] in (198, 199)


@pytest.mark.parametrize("byte", [0, 2, 3, 4, 9, 20, 100])
def test_one_damaged_record_costs_one_packet(byte: int) -> None:
    """Whichever byte it is: of its length, its kind, its times, its audio."""
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        path = desk.seal(call(desk, 10))
        with read(path) as journal:
            offset = [record.offset for record in journal.records()][250]
        content = bytearray(path.read_bytes())
        content[offset + byte] ^= 0xFF
        path.write_bytes(content)
        with past_of(desk.folder) as past:
            found = numbers(whole(past, desk, 0))

    assert len(found) == 499
    assert found == sorted(set(found))


def test_a_journal_that_is_finished_and_deleted_meanwhile_is_no_fault() -> None:
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        path = desk.seal(call(desk, 4))
        with past_of(desk.folder) as past:
            first = past.piece(desk.call.call_id, ask(desk, 0), "n")
            path.unlink()
            then = past.piece(desk.call.call_id, ask(desk, 0, first.cursor), "n")

    assert first.packets
    assert then.packets == []
    assert then.is_end


def test_rubbish_in_the_journal_folder_is_passed_over() -> None:
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        desk.seal(call(desk, 1))
        (desk.folder / "rubbish.journal").write_bytes(b"nothing of ours")
        (desk.folder / "empty.journal").touch()
        with past_of(desk.folder) as past:
            assert numbers(whole(past, desk, 0)) == list(range(50))


def test_silence_does_not_travel() -> None:
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        session = desk.socket()
        session.take(metadata(), 0)
        session.take(audio(0, silent=True), 0)
        session.take(audio(1, pcm=bytes(2 * SAMPLES)), PACKET_US)
        desk.seal(session)
        with past_of(desk.folder) as past:
            [piece] = whole(past, desk, 0)

    assert [(p.samples, p.pcm) for p in piece.packets] == [(SAMPLES, b"")] * 2


def test_an_index_of_a_long_journal_lets_a_seek_read_little() -> None:
    """An hour is eight times this; what a seek reads does not grow with it."""
    with tempfile.TemporaryDirectory() as folder, Desk(Path(folder)) as desk:
        path = desk.seal(call(desk, 450))
        with past_of(desk.folder) as past:
            past.piece(desk.call.call_id, ask(desk, 0), "n")
            [index] = past._of_call(desk.call.call_id)
            mark = index.mark_of(START_US + 400_000_000)
            piece = past.piece(desk.call.call_id, ask(desk, 400_000_000), "n")
            size = path.stat().st_size

    assert len(index.marks) == 90
    assert 0.87 * size < mark.offset < 0.9 * size
    first: Packet = piece.packets[0]
    assert first.stamp_us == START_US + 400_000_000
