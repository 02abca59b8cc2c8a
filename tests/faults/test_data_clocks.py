"""Clocks that are set in mid-call, ACS's or ours: nothing is lost, nothing made up."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from pytest_django import Settings

from calls.audio.timeline import Placement
from calls.drafts import CallFacts
from calls.journals.reading import read
from calls.journals.replay import CallReplay, PacketRef, track_draft
from streaming.ingest import MediaSession
from streaming.recorder import Recorder
from streaming.socket_rows import Opening
from tests.streaming.desk import OPENED, Desk
from tests.streaming.wire import ALICE, BOB, SAMPLES, audio, metadata, voice

HOUR_S = 3_600.0


class Archive:
    """What a replay of a call's journals makes of them."""

    def __init__(self, folder: Path, call_id: UUID) -> None:
        self.starts: dict[tuple[str, bytes], int | None] = {}
        self.aside = 0
        self.replay = CallReplay(call_id, placed=self._placed, aside=self._aside)
        self.replay.run(folder.glob("*.journal"))

    def _placed(self, raw_id: str, _rate: int, placement: Placement[PacketRef]) -> None:
        key = (raw_id, placement.ref.pcm)
        assert key not in self.starts
        self.starts[key] = placement.start

    def _aside(self, *_: object) -> None:
        self.aside += 1

    def slots(self, raw_id: str, numbers: range) -> list[float | None]:
        """Return in which slot each of these packets lies; None if it does not."""
        starts = [self.starts.get((raw_id, voice(number))) for number in numbers]
        return [None if start is None else start / SAMPLES for start in starts]


# ACS's clock.


@pytest.mark.parametrize(
    "step_s", [5.0, -5.0, 59.0, -59.0, 300.0, HOUR_S, -HOUR_S, 7 * HOUR_S]
)
def test_a_step_of_acs_clock_neither_costs_audio_nor_makes_silence(
    tmp_path: Path, step_s: float
) -> None:
    with Desk(tmp_path) as desk:
        session = desk.socket()
        session.take(metadata(), 1_000)
        for number in range(600):
            stamp = number if number < 300 else number + step_s * 50
            for who in (ALICE, BOB):
                frame = audio(stamp, who, pcm=voice(number))
                session.take(frame, 2_000 + number * 20_000)
        desk.seal(session)

        archive = Archive(tmp_path, desk.call.call_id)

    for who in (ALICE, BOB):
        track = archive.replay.tracks[who, 16_000]
        assert archive.slots(who, range(600)) == list(range(600))
        assert track.timeline.end == 600 * SAMPLES
        ledger = track.ledger
        assert (ledger.completeness, ledger.duplicates, ledger.late) == (1.0, 0, 0)
    assert archive.aside == 0


@pytest.mark.parametrize("slots", [15, -15])
def test_a_small_step_of_acs_clock_is_on_the_ledger_as_what_it_looks_like(
    tmp_path: Path, slots: int
) -> None:
    with Desk(tmp_path) as desk:
        session = desk.socket()
        session.take(metadata(), 1_000)
        for number in range(600):
            stamp = number if number < 300 else number + slots
            session.take(audio(stamp, pcm=voice(number)), 2_000 + number * 20_000)
        desk.seal(session)

        archive = Archive(tmp_path, desk.call.call_id)

    [track] = archive.replay.tracks.values()
    repeated = max(-slots, 0)
    kept = [*range(300), *range(300 + repeated, 600)]
    assert [slot for slot in archive.slots(ALICE, range(600)) if slot is not None] == [
        number if number < 300 else number + slots for number in kept
    ]
    # What it seemed to repeat is kept beside the recording.
    assert (track.ledger.duplicates, archive.aside) == (repeated, repeated)
    assert track.ledger.gap_count == (slots > 0)


# Our own.


@pytest.fixture
async def recorder(settings: Settings, tmp_path: Path) -> AsyncIterator[Recorder]:
    """Return a recorder whose rows go nowhere."""
    settings.JOURNAL_DIR = tmp_path
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    recorder = Recorder()
    recorder.start = lambda: None  # type: ignore[method-assign]
    yield recorder
    recorder.journals.close()
    recorder.archive.close(wait=True)


def dial(
    recorder: Recorder, call_id: UUID, clock_s: float, facts: CallFacts | None = None
) -> MediaSession:
    """Open a socket when our clock says so many seconds after `OPENED`."""
    opened_at = OPENED + timedelta(seconds=clock_s)
    opening = Opening("acs", "", "", opened_at)
    session = recorder.open(call_id, opening, facts, lambda: None)
    session.take(metadata(), 1_000)
    return session


def speak(session: MediaSession, numbers: range, at_us: int) -> None:
    for place, number in enumerate(numbers):
        assert session.take(audio(number), at_us + place * 20_000) is None


@pytest.mark.parametrize("step_s", [-0.3, -5.0, -HOUR_S, 0.3, 5.0, HOUR_S])
async def test_a_step_of_our_clock_between_two_sockets_moves_nothing(
    recorder: Recorder, tmp_path: Path, step_s: float
) -> None:
    call_id = uuid4()
    first = dial(recorder, call_id, 0.0)
    speak(first, range(100), 2_000)
    recorder.close(first, 1000, "")
    # The redial: half a second was lost, and meanwhile our clock was set.
    second = dial(recorder, call_id, 2.5 + step_s)
    speak(second, range(125, 225), 2_502_000)
    recorder.close(second, 1000, "")
    live = recorder.calls[call_id].tracks[ALICE, 16_000].audio
    live.flush()
    recorder.journals.close()

    archive = Archive(tmp_path, call_id)

    track = archive.replay.tracks[ALICE, 16_000]
    assert archive.slots(ALICE, range(225)) == [
        None if number in range(100, 125) else number for number in range(225)
    ]
    assert (track.timeline.end, archive.aside) == (225 * SAMPLES, 0)
    assert track_draft(call_id, ALICE, live) == track_draft(call_id, ALICE, track)
    # Nobody's pause lasted an hour.
    assert track.last_arrival_us - track.first_arrival_us < 60_000_000


async def test_a_process_that_starts_with_an_older_clock_goes_on_behind_the_other(
    recorder: Recorder, tmp_path: Path
) -> None:
    call_id = uuid4()
    first = dial(recorder, call_id, 0.0)
    speak(first, range(100), 2_000)
    recorder.close(first, 1000, "")
    before = recorder.calls.pop(call_id).tracks[ALICE, 16_000].audio
    before.flush()
    facts = CallFacts(is_known=True, tracks=[track_draft(call_id, ALICE, before)])

    # As another process would: it knows the call from rows.
    second = dial(recorder, call_id, -HOUR_S, facts)
    speak(second, range(100, 200), 20_000)
    recorder.close(second, 1000, "")
    recorder.journals.close()

    with read(first.journal.path) as one, read(second.journal.path) as two:
        assert one.header.opened_at_us < two.header.opened_at_us
    archive = Archive(tmp_path, call_id)
    assert archive.slots(ALICE, range(200)) == list(range(200))
    assert archive.aside == 0
