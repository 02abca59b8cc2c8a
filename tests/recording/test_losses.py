"""What a journal that broke off cost is on record, and no more is claimed."""

import io
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import call_command

from calls.finishing import call_finish
from calls.journals.reading import Kind
from calls.models import AudioChunk, Call, Connection, Loss, Track
from calls.selectors import CallPage, call_page
from calls.sockets import SocketRow
from tests.factories import CommandFactory
from tests.recording.bench import OPENED, append, call_ended, journal
from tests.recording.test_recovery import disconnected, recover
from tests.streaming.wire import ALICE, BOB, SAMPLES, audio

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]


def killed(call: Call, numbers: Iterable[int], *who: str) -> Path:
    """Write the journal of a socket whose process died after these packets."""
    speakers = who or (ALICE,)
    frames = [audio(n, one) for n in numbers for one in speakers]
    return journal(call.id, frames, is_sealed=False)


def redialled(call: Call, numbers: range, *who: str) -> Path:
    frames = [audio(n, one) for n in numbers for one in who or (ALICE,)]
    # The bench lets packets of two speakers arrive one after the other: 4 s of them.
    return journal(call.id, frames, after=max(numbers.start / 50, 4.1))


def losses() -> dict[str, int | None]:
    rows = Loss.objects.select_related("track__participant")
    return {loss.track.participant.raw_id: loss.samples for loss in rows}


def page_of(call: Call) -> CallPage:
    return call_page(Call.objects.get(pk=call.pk))


def torn_row(call: Call) -> SocketRow:
    [row] = [row for row in page_of(call).sockets if row.sentences]
    return row


def test_the_gap_behind_a_torn_journal_is_its_cost() -> None:
    call = call_ended()
    killed(call, range(100), ALICE, BOB)
    redialled(call, range(109, 150), ALICE)
    redialled(call, range(120, 150), BOB)

    _, [said] = recover()

    assert losses() == {ALICE: 9 * SAMPLES, BOB: 20 * SAMPLES}
    assert (said["torn"], said["lost_seconds"]) == (1, 0.4)
    ends = Connection.objects.order_by("opened_at").values_list(
        "journal_end", flat=True
    )
    assert list(ends) == ["torn", "sealed", "sealed"]
    page = page_of(call)
    assert page.troubles == ["recovered after a crash, 0.40 s lost"]
    # 2 s after the first packet, which was captured at 12:00:00.250.
    assert torn_row(call).sentences == [
        "Its ingest process died. Recovered: everything up to 12:00:02.250 is here,"
        " 0.40 s missing after it."
    ]
    broken = [row.entry.what for row in page.timeline.rows if "broken" in row.entry.key]
    assert broken == ["A socket broke off"]


def test_a_torn_journal_whose_last_packets_survived_cost_nothing() -> None:
    call = call_ended()
    killed(call, range(100))
    redialled(call, range(100, 150))

    _, [said] = recover()

    assert losses() == {ALICE: 0}
    assert (said["torn"], said["lost_seconds"]) == (1, 0.0)
    assert page_of(call).troubles == ["recovered after a crash, nothing lost"]
    row = torn_row(call)
    assert not row.is_bad
    assert row.sentences == [
        "Its ingest process died. Recovered, nothing lost: everything up to"
        " 12:00:02.250 is here, and what follows it."
    ]


def test_nothing_is_claimed_of_what_nobody_can_know() -> None:
    call = call_ended()
    killed(call, range(100))

    _, [said] = recover()

    assert losses() == {ALICE: None}
    assert (said["torn"], said["lost_seconds"]) == (1, None)
    assert page_of(call).troubles == ["recovered after a crash"]
    [sentence] = torn_row(call).sentences
    assert sentence.endswith(
        "everything up to 12:00:02.250 is here, and nothing came after it."
    )


def test_one_who_did_not_come_back_does_not_count_as_nothing_lost() -> None:
    call = call_ended()
    killed(call, range(100), ALICE, BOB)
    redialled(call, range(100, 150), ALICE)

    recover()

    assert losses() == {ALICE: 0, BOB: None}
    assert page_of(call).troubles == ["recovered after a crash"]
    [sentence] = torn_row(call).sentences
    assert sentence.endswith("and not all were heard after it.")


def test_what_was_missed_until_the_call_ended_is_its_cost() -> None:
    call = call_ended()
    disconnected(call, 10)
    killed(call, range(100))

    _, [said] = recover()

    assert losses() == {ALICE: 8 * 16_000}
    assert said["lost_seconds"] == 8.0


def test_a_socket_that_comes_later_tells_what_was_lost() -> None:
    call = call_ended()
    killed(call, range(100))
    call_finish(call.id)
    assert losses() == {ALICE: None}
    redialled(call, range(110, 150))

    call_finish(call.id)

    assert losses() == {ALICE: 10 * SAMPLES}
    assert page_of(call).troubles == ["recovered after a crash, 0.20 s lost"]


def test_what_a_second_socket_had_is_not_lost() -> None:
    call = call_ended()
    killed(call, range(100))
    journal(call.id, [audio(n) for n in range(90, 150)], after=1.9)

    recover()

    assert losses() == {ALICE: 0}


def test_one_who_had_left_before_the_death_lost_nothing_by_it() -> None:
    call = call_ended()
    frames = [audio(n, BOB) for n in range(20)] + [audio(n) for n in range(20, 200)]
    journal(call.id, frames, is_sealed=False)
    redialled(call, range(205, 250), ALICE, BOB)

    recover()

    assert losses() == {ALICE: 5 * SAMPLES}
    assert Track.objects.get(participant__raw_id=BOB).gap_count == 1


def test_what_nobody_asked_for_is_not_lost() -> None:
    call = call_ended()
    killed(call, range(100))
    redialled(call, range(600, 650))
    for kind, at in (("stop_streaming", 1.9), ("start_streaming", 12.0)):
        sent_at = OPENED + timedelta(seconds=at)
        CommandFactory.create(call=call, kind=kind, sent_at=sent_at)

    recover()

    assert losses() == {ALICE: 0}


def test_a_damaged_record_is_a_loss_of_its_own() -> None:
    call = call_ended()
    path = journal(call.id, [audio(n) for n in range(100)])
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)

    _, [said] = recover()

    [loss] = Loss.objects.all()
    assert (loss.samples, loss.is_end) == (SAMPLES, False)
    assert Connection.objects.get().journal_end == "damaged"
    assert (said["torn"], said["lost_seconds"]) == (0, 0.0)
    assert page_of(call).troubles == ["a journal was damaged, 0.02 s lost"]
    assert torn_row(call).sentences == [
        "Records of its journal could not be read: 0.02 s are missing."
    ]
    assert torn_row(call).happened == "A journal was damaged"


def test_a_socket_that_was_torn_before_anybody_spoke_cost_nothing() -> None:
    call = call_ended()
    journal(call.id, [], is_sealed=False)

    recover()

    assert not Loss.objects.exists()
    assert page_of(call).troubles == ["recovered after a crash, nothing lost"]
    [sentence] = torn_row(call).sentences
    assert "nobody was being heard" in sentence


@pytest.mark.parametrize(
    ("state", "end", "trouble", "words"),
    [
        ("kept", "torn", "recovered after a crash, text may be missing", "last second"),
        ("missing", "", "a journal is missing", "text that came over it"),
    ],
)
def test_what_a_broken_transcription_socket_cost_is_text(
    state: str, end: str, trouble: str, words: str
) -> None:
    call = call_ended()
    Connection.objects.create(
        id=uuid4(),
        call=call,
        kind="transcription",
        node="n",
        opened_at=call.rang_at,
        journal_state=state,
        journal_end=end,
    )

    assert page_of(call).troubles == [trouble]
    [sentence] = torn_row(call).sentences
    assert words in sentence
    assert "packets" not in sentence
    assert "nothing lost" not in sentence
    assert torn_row(call).is_bad


def test_packets_the_disk_did_not_take_are_told_although_the_seal_is_missing() -> None:
    call = call_ended()
    path = killed(call, range(100))
    remark = b'{"event": "dropped", "packets": 7, "records": 8}'
    append(path, Kind.NOTE, remark, arrival_us=2_100_000)

    recover()

    socket = Connection.objects.get()
    assert (socket.packets, socket.unjournaled) == (107, 7)
    call_command("verify_archive", stdout=io.StringIO())
    assert "7 packets not written to disk" in page_of(call).troubles
    assert torn_row(call).sentences[-1].startswith("7 packets were received and lost")


def test_measuring_again_measures_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    call = call_ended()
    paths = killed(call, range(100)), redialled(call, range(109, 150))
    contents = [path.read_bytes() for path in paths]

    class DeathError(Exception):
        pass

    def die(*_: object) -> None:
        raise DeathError

    with monkeypatch.context() as patch:
        patch.setattr("calls.assembly.calls_figures_refresh", die)
        with pytest.raises(DeathError):
            call_finish(call.id)
    assert not Loss.objects.exists()
    call_finish(call.id)
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)

    recover()

    assert losses() == {ALICE: 9 * SAMPLES}
    assert Loss.objects.count() == 1


def test_a_call_that_goes_on_says_what_is_missing_until_its_journal_is_read() -> None:
    call = call_ended()
    killed(call, range(500))
    redialled(call, range(509, 600))
    recover()
    [torn] = Connection.objects.filter(journal_end="torn")
    # What the rows are while the call is live: ingest's own, some seconds old.
    Loss.objects.all().delete()
    Connection.objects.filter(pk=torn.pk).update(journal_state="torn", journal_end="")
    AudioChunk.objects.filter(connection=torn, number=1).delete()
    track = Track.objects.get()
    [first, gap, rest] = track.ledger["runs"]
    track.ledger["runs"] = [["r", first[1] // 2], ["g", first[1] // 2 + gap[1]], rest]
    track.save()

    page = page_of(call)

    assert page.troubles == ["an ingest process died; its journal is not read yet"]
    assert torn_row(call).sentences == [
        "Its ingest process died. Its journal is read when the call is over; until"
        " then up to 5.18 s are missing."
    ]


def test_a_journal_that_is_gone_is_told() -> None:
    call = call_ended()
    killed(call, range(10)).unlink()
    Connection.objects.create(
        id=call.id,
        call=call,
        node="far away",
        opened_at=OPENED,
        packets=1234,
        journal_state="missing",
    )

    page = page_of(call)

    assert page.troubles == ["a journal is missing"]
    assert torn_row(call).sentences == [
        "Its journal was not found on node far away: 1\N{NARROW NO-BREAK SPACE}234"
        " packets are in no recording."
    ]


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (range(109, 150), "1 ended without a seal, 0.18 s missing behind them"),
        (range(100, 150), "1 ended without a seal, nothing lost"),
        (None, "1 ended without a seal, nothing came after them"),
    ],
)
def test_recover_says_it_in_words(after: range | None, words: str) -> None:
    call = call_ended()
    killed(call, range(100))
    if after:
        redialled(call, after)
    said = io.StringIO()

    call_command("recover", stdout=said)

    assert words in said.getvalue()
