"""What must be true of an archive after whatever happened to it."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from uuid import UUID

import soundfile

from tests.faults.line import LABEL, PACKET_BYTES, SPEAKERS, Leg, Line, packet
from tests.streaming.house import House
from tests.streaming.wire import SAMPLES

TRACKS = """
    select t.*, p.raw_id, r.audio, r.pcm_sha256, r.origin_us as recording_origin_us,
           r.samples as recording_samples
    from calls_track t
    join calls_participant p on p.id = t.participant_id
    join calls_recording r on r.track_id = t.id
"""
CHUNKS = """
    select track_id, sum(packets) as packets, sum(samples) as samples
    from calls_audiochunk group by track_id
"""


def assert_archive_is_clean(house: House) -> None:
    """Everything received is in verified recordings, and nothing else lies about."""
    assert unfinished(house) == []
    journals = house.folder / "journals"
    assert sorted(path.name for path in journals.iterdir()) == []
    _assert_files_are_those_of_rows(house)
    _assert_ledgers_add_up(house)
    _verify_archive(house)


def unfinished(house: House) -> list[str]:
    """Return what is not over yet, in words."""
    sockets = [
        f"socket {row['id']}: {row['journal_state']}, closed {row['closed_at']}"
        for row in house.rows("select * from calls_connection")
        if row["journal_state"] != "kept" or row["closed_at"] is None
    ]
    calls = [
        f"call {row['id']}: {row['archive_state']} {row['archive_error']}"
        for row in house.rows("select * from calls_call")
        if row["archive_state"] != "finished" or row["archive_error"]
    ]
    return sockets + calls


def _assert_files_are_those_of_rows(house: House) -> None:
    root = house.folder / "recordings"
    named = set()
    for row in house.rows("select * from calls_recording"):
        assert row["state"] == "verified"
        content = (root / row["audio"]).read_bytes()
        assert hashlib.sha256(content).hexdigest() == row["audio_sha256"]
        assert len(content) == row["audio_bytes"]
        pcm = decoded(root / row["audio"])
        assert hashlib.sha256(pcm).hexdigest() == row["pcm_sha256"]
        assert len(pcm) == row["samples"] * 2
        named |= {row[name] for name in ("audio", "peaks", "manifest", "leftovers")}
    there = {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}
    assert there == named - {""}


def _assert_ledgers_add_up(house: House) -> None:
    chunks = {row["track_id"]: row for row in house.rows(CHUNKS)}
    tracks = house.rows(TRACKS)
    for track in tracks:
        total = dict.fromkeys("rsgx", 0)
        for letter, samples in runs(track):
            total[letter] += samples
        assert sum(total.values()) == track["samples"] == track["recording_samples"]
        assert total["r"] == track["talk_samples"]
        assert total["g"] == track["gap_samples"]
        assert total["x"] == track["stopped_samples"]
        assert chunks[track["id"]]["samples"] == total["r"] + total["s"]
        unplaced = track["duplicates"] + track["discarded"]
        assert chunks[track["id"]]["packets"] == track["packets"] - unplaced
    # A socket counts what it received, also what could not be kept.
    [sockets] = house.rows(
        "select sum(packets - unjournaled) as kept from calls_connection"
    )
    assert sockets["kept"] == sum(track["packets"] for track in tracks)


def _verify_archive(house: House) -> None:
    done = house.manage("verify_archive")
    assert done.returncode == 0, done.stdout + done.stderr


def runs(track: dict[str, Any]) -> list[tuple[str, int]]:
    """Return a track's ledger: letters and samples."""
    ledger = track["ledger"]
    if isinstance(ledger, str):
        ledger = json.loads(ledger)
    return [(letter, samples) for letter, samples in ledger["runs"]]


def decoded(path: Path) -> bytes:
    """Return the PCM of a FLAC file."""
    samples, _ = soundfile.read(path, dtype="int16")
    return bytes(samples.astype("<i2").tobytes())


@dataclass(frozen=True)
class Loss:
    """What one socket took in and did not keep of one speaker."""

    line: int
    leg: int
    speaker: str
    packets: int


def losses(house: House, lines: Sequence[Line]) -> list[Loss]:
    """Return what is not in the recordings of what was sent.

    All the rest is checked here: that each packet that is stored was sent, and lies
    where it belongs, whole and once; that a socket lost its last packets, none in the
    middle; that nothing was said in between; and that the ledger says just that.
    """
    tracks = {
        (UUID(str(row["call_id"])), row["raw_id"]): row for row in house.rows(TRACKS)
    }
    assert len(tracks) == len(lines) * len(SPEAKERS)
    found = []
    for line in lines:
        for speaker in SPEAKERS:
            track = tracks[line.call_id, speaker]
            kept = _kept(house, line, speaker, track)
            found += list(_lost(line, speaker, kept))
    return found


def _kept(house: House, line: Line, speaker: str, track: dict[str, Any]) -> list[int]:
    """Return the numbers of the packets in a recording; its ledger must agree."""
    pcm = decoded(house.folder / "recordings" / track["audio"])
    assert len(pcm) % PACKET_BYTES == 0
    origin = LABEL.unpack_from(pcm)[2] - 1
    kept = []
    for slot in range(len(pcm) // PACKET_BYTES):
        heard = pcm[slot * PACKET_BYTES : (slot + 1) * PACKET_BYTES]
        if any(heard):
            assert heard == packet(line.number, speaker, origin + slot)
            kept.append(origin + slot)
    assert runs(track) == ledger_of(kept)
    assert track["packets"] == len(kept)
    assert (track["late"], track["duplicates"], track["discarded"]) == (0, 0, 0)
    gaps = [samples for letter, samples in runs(track) if letter == "g"]
    assert (track["gap_count"], track["gap_samples"]) == (len(gaps), sum(gaps))
    return kept


def ledger_of(numbers: Sequence[int]) -> list[tuple[str, int]]:
    """Return the runs of a track that received these packets, in this order."""
    there = set(numbers)
    slots = range(numbers[0], numbers[-1] + 1)
    return [
        ("r" if is_there else "g", sum(1 for _ in group) * SAMPLES)
        for is_there, group in groupby(slots, there.__contains__)
    ]


def _lost(line: Line, speaker: str, kept: Iterable[int]) -> Iterator[Loss]:
    left = set(kept)
    for index, leg in enumerate(line.legs):
        numbers = leg.numbers(speaker)
        here = left & set(numbers)
        assert here == set(numbers[: len(here)]), "a hole within a socket"
        left -= here
        if len(here) < len(numbers):
            yield Loss(line.number, index, speaker, len(numbers) - len(here))
    assert left == set(), "packets that nobody sent"


def broken(leg: Leg) -> bool:
    """Say whether a socket ended without a close frame."""
    return leg.code in (None, 1006)
