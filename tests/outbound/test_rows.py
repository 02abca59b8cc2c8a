"""What ingest tells of what was said: rows, and what they prove of orders."""

from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from calls.drafts import ArchiveBatch, OutcomeDraft, UtteranceDraft
from calls.journals.said import CUT_OFF
from calls.models import (
    CommandKind,
    CommandState,
    Connection,
    Evidence,
    Utterance,
)
from calls.selectors import player_track
from calls.services import batch_store
from calls.utterances import utterances_recover
from streaming.protocol import US
from tests.factories import (
    CallFactory,
    CommandFactory,
    ConnectionFactory,
    PromptFactory,
    RecordingFactory,
    TrackFactory,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def utterance(state: str = "playing", **more: object) -> UtteranceDraft:
    draft = UtteranceDraft(
        id=uuid4(),
        call_id=CallFactory.create().pk,
        kind="prompt",
        state=state,
        name="welcome",
        queued_at=NOON,
    )
    return replace(draft, **more)  # type: ignore[arg-type]


def test_a_prompt_is_proved_by_its_first_sample_and_stays_proved() -> None:
    order = CommandFactory.create(
        kind=CommandKind.PLAY_PROMPT, state=CommandState.SENT, sent_at=NOON
    )
    sent = OutcomeDraft(order.pk, order.call_id, True, "Its first sample was sent.")

    batch_store(ArchiveBatch(outcomes=[sent]))
    batch_store(ArchiveBatch(outcomes=[replace(sent, is_done=False, words="cut")]))

    order.refresh_from_db()
    assert (order.state, order.result) == (CommandState.CONFIRMED, sent.words)
    assert order.evidence == Evidence.MEDIA


def test_a_prompt_that_nobody_could_hear_fails_in_words() -> None:
    order = CommandFactory.create(
        kind=CommandKind.PLAY_PROMPT, state=CommandState.SENT, sent_at=NOON
    )
    words = "Nothing of it was heard: no socket for 10 s."

    batch_store(
        ArchiveBatch(outcomes=[OutcomeDraft(order.pk, order.call_id, False, words)])
    )

    order.refresh_from_db()
    assert (order.state, order.result) == (CommandState.FAILED, words)


def test_what_one_process_said_is_not_taken_back_by_another() -> None:
    heard = utterance("playing", kind="talk", sent_ms=400)
    socket = ConnectionFactory.create(call_id=heard.call_id, closed_at=None)
    no_socket = replace(heard, state="failed", sent_ms=0, may_go_on=True)

    def after(*drafts: UtteranceDraft) -> str:
        for draft in drafts:
            batch_store(ArchiveBatch(utterances=[draft]))
        return str(Utterance.objects.get(pk=heard.id).state)

    assert after(heard, replace(heard, state="queued", sent_ms=0)) == "playing"
    assert after(no_socket) == "playing"
    assert after(replace(heard, state="played"), no_socket, heard) == "played"
    # Who is heard nowhere is told so.
    Connection.objects.filter(pk=socket.pk).update(closed_at=NOON)
    Utterance.objects.update(state="playing")
    assert after(no_socket) == "failed"


def test_a_process_that_lives_after_all_tells_the_end_of_what_it_says() -> None:
    said = utterance("stopped", reason=CUT_OFF)
    batch_store(ArchiveBatch(utterances=[said]))

    batch_store(ArchiveBatch(utterances=[replace(said, state="played", reason="")]))

    assert Utterance.objects.get(pk=said.id).state == "played"


def test_an_order_and_a_prompt_that_are_gone_do_not_keep_the_row_away() -> None:
    prompt = PromptFactory.create()
    draft = utterance(command_id=uuid4(), prompt_id=prompt.pk)
    gone = utterance(prompt_id=uuid4())
    removed = utterance(call_id=uuid4())

    batch_store(ArchiveBatch(utterances=[draft, gone, removed]))

    rows = {row.pk: row for row in Utterance.objects.all()}
    assert set(rows) == {draft.id, gone.id}
    assert (rows[draft.id].prompt_id, rows[draft.id].command_id) == (prompt.pk, None)
    assert rows[gone.id].prompt_id is None


def test_journals_tell_the_end_that_rows_do_not_know_and_change_no_other() -> None:
    cut = utterance("playing", played_ms=0)
    done = utterance("failed", call_id=cut.call_id, reason="told live")
    unknown = utterance("playing", call_id=cut.call_id)
    batch_store(ArchiveBatch(utterances=[cut, done]))

    utterances_recover(
        cut.call_id,
        [
            replace(cut, name="", state="stopped", played_ms=900, reason="died"),
            replace(done, name="", state="played", reason=""),
            replace(unknown, name=""),
        ],
    )

    rows = {row.pk: row for row in Utterance.objects.all()}
    row = rows[cut.id]
    assert (row.name, row.state, row.played_ms) == ("welcome", "stopped", 900)
    assert rows[done.id].reason == "told live"
    # Of a lost database: nobody is left who would say more of it.
    assert rows[unknown.id].state == "stopped"


def test_what_was_being_said_when_the_last_socket_closed_is_over_as_far_as_heard() -> (
    None
):
    greeting = utterance("playing")
    waiting = utterance("queued", call_id=greeting.call_id)
    batch_store(ArchiveBatch(utterances=[greeting, waiting]))
    socket = ConnectionFactory.create(call_id=greeting.call_id, subscription=None)
    heard = replace(greeting, played_ms=700, sent_ms=700)
    row = Utterance.objects.filter(pk=greeting.id)

    utterances_recover(greeting.call_id, [heard])
    assert row.get().state == "playing"

    Connection.objects.update(closed_at=socket.opened_at)
    utterances_recover(greeting.call_id, [heard])
    told = row.values_list("state", "played_ms", "reason").get()
    assert told == ("stopped", 700, "the call's socket closed")
    # No journal knows of it, and nobody is left who could say it.
    assert Utterance.objects.get(pk=waiting.id).state == "stopped"


def test_a_journal_knows_how_much_was_heard_before_a_dead_process_was_noticed() -> None:
    cut = utterance("stopped", reason=CUT_OFF)
    batch_store(ArchiveBatch(utterances=[cut]))

    utterances_recover(cut.call_id, [replace(cut, played_ms=900)])

    assert Utterance.objects.get().played_ms == 900


def test_where_we_were_silent_the_player_shows_no_hole() -> None:
    ledger = {"rate": 16_000, "runs": [["r", 320], ["x", 960], ["r", 320]]}
    ours = TrackFactory.create(participant__raw_id=US, ledger=ledger)
    theirs = TrackFactory.create(ledger=ledger)
    recordings = [RecordingFactory.create(track=track) for track in (ours, theirs)]

    shown = [player_track(one, one.origin_us, 1)["holes"] for one in recordings]

    assert [len(holes) for holes in shown] == [0, 1]
