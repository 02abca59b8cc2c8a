"""A journal cut off or damaged at any byte gives back every record that is whole."""

import os
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from calls.audio.timeline import Placement
from calls.finishing import call_finish
from calls.journals.reading import JournalError, Kind, Record, read, scan
from calls.journals.recovery import journals_recover
from calls.journals.replay import CallReplay, JournalCount, PacketRef
from calls.models import Connection, Recording
from tests.recording.bench import (
    journal,
    stored_files,
    stored_pcm,
    the_track,
    timeline,
)
from tests.recording.conftest import folders as folders
from tests.streaming.wire import ALICE, BOB, audio, dtmf, transcription

NUMBERS = range(4)
SILENT = 4
ASIDE = [
    dtmf("5"),
    transcription("good morning"),
    '{"kind": "FromTheFuture"}',
    "not JSON",
]


def frames() -> list[str]:
    """Return what came over the socket: a packet of each speaker in turn, and more."""
    spoken = [frame for n in NUMBERS for frame in (audio(n), audio(n, BOB))]
    # Silent ones with a buffer of zeros, which the journal only counts.
    silent = [audio(SILENT, who, pcm=bytes(640), silent=True) for who in (ALICE, BOB)]
    return [*spoken[:4], *ASIDE, *spoken[4:], *silent]


@dataclass(frozen=True)
class Whole:
    """A record of the journal before anything happened to it."""

    kind: int
    start: int
    end: int
    payload: bytes


@dataclass(frozen=True)
class Specimen:
    """A journal with every kind of record, and what is in it."""

    call_id: UUID
    path: Path
    content: bytes
    records: tuple[Whole, ...]

    @property
    def header(self) -> int:
        return self.records[0].start

    def survivors(
        self, *, until: int | None = None, hit: int | None = None
    ) -> Counter[bytes]:
        """Return the payloads that a reader must give back, each as often as it is."""
        return Counter(
            record.payload
            for record in self.records
            if record.kind not in (Kind.METADATA, Kind.PARTICIPANT, Kind.SEAL)
            and (until is None or record.end <= until)
            and (hit is None or not record.start <= hit < record.end)
        )


@pytest.fixture
def specimen(folders: Path) -> Specimen:
    call_id = uuid4()
    path = journal(call_id, frames())
    with read(path) as found:
        walked = [(r.kind, r.offset, bytes(r.payload)) for r in found.records()]
        ends = [offset for _, offset, _ in walked[1:]] + [found.size]
    records = tuple(
        Whole(kind, start, end, payload)
        for (kind, start, payload), end in zip(walked, ends, strict=True)
    )
    assert {r.kind for r in records} >= set(Kind) - {Kind.OUTBOUND, Kind.NOTE}
    return Specimen(call_id, path, path.read_bytes(), records)


def replayed(call_id: UUID, path: Path) -> Counter[bytes]:
    """Return the payloads of all records that a replay places or puts aside."""
    found: Counter[bytes] = Counter()

    def placed(_raw_id: str, _rate: int, placement: Placement[PacketRef]) -> None:
        found[bytes(placement.ref.record.payload)] += 1

    def aside(_count: JournalCount, record: Record) -> None:
        found[bytes(record.payload)] += 1

    CallReplay(call_id, placed=placed, aside=aside).run([path])
    return found


def test_a_cut_at_every_byte_keeps_exactly_what_is_whole(specimen: Specimen) -> None:
    for length in range(len(specimen.content), specimen.header - 1, -1):
        os.truncate(specimen.path, length)

        assert replayed(specimen.call_id, specimen.path) == specimen.survivors(
            until=length
        )


def test_a_header_cut_at_every_byte_is_an_error_and_the_file_stays(
    specimen: Specimen,
) -> None:
    for length in range(specimen.header - 1, -1, -1):
        os.truncate(specimen.path, length)

        with pytest.raises(JournalError):
            replayed(specimen.call_id, specimen.path)
        [found] = scan(specimen.path.parent)
        assert (found.header, found.size) == (None, length)
        [told] = journals_recover(specimen.path.parent)
        assert not told.is_ok
        assert specimen.path.read_bytes() == specimen.content[:length]


def test_a_damaged_byte_anywhere_costs_its_record_and_no_other(
    specimen: Specimen,
) -> None:
    with specimen.path.open("r+b", buffering=0) as file:
        for at in range(specimen.header, len(specimen.content)):
            sound = specimen.content[at]
            # Never the same byte, and over the bytes of a record any bit.
            damaged = sound ^ (at * 37 % 255 + 1)
            os.pwrite(file.fileno(), bytes([damaged]), at)

            assert replayed(specimen.call_id, specimen.path) == specimen.survivors(
                hit=at
            )
            os.pwrite(file.fileno(), bytes([sound]), at)
    assert specimen.path.read_bytes() == specimen.content


def cuts(specimen: Specimen) -> list[int]:
    """Return cuts in, before and behind each record, as finishing takes a while."""
    return sorted(
        {
            at
            for record in specimen.records
            for at in (record.start, record.start + 1, record.end - 1, record.end)
        }
    )


@pytest.mark.django_db(transaction=True)
def test_a_torn_journal_becomes_a_recording_of_exactly_what_is_whole(
    specimen: Specimen,
) -> None:
    packets = [record for record in specimen.records if record.kind == Kind.AUDIO]
    for length in cuts(specimen):
        call_id = uuid4()
        path = journal(call_id, frames())
        assert path.stat().st_size == len(specimen.content)
        os.truncate(path, length)
        whole = sum(1 for record in packets if record.end <= length)

        done = call_finish(call_id)

        assert (done.packets, path.exists()) == (whole, False)
        for speaker, count in ((ALICE, (whole + 1) // 2), (BOB, whole // 2)):
            if count:
                spoken = [number for number in NUMBERS if number < count]
                recording = the_track(call_id, speaker)
                assert stored_pcm(recording) == timeline(spoken, count)
        socket = Connection.objects.get(call_id=call_id)
        assert socket.packets == whole
        is_sealed = length == len(specimen.content)
        assert socket.close_code == (1000 if is_sealed else None)
    names = Recording.objects.values_list("audio", flat=True)
    assert set(names) <= stored_files()
