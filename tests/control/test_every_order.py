"""Every order, carried out by the emulator through Microsoft's SDK, and its proof."""

import pytest
from django.utils import timezone
from pytest_django import Settings

from calls import control, pacing
from calls.control import CommandRefused
from calls.ingest_facts import stop_windows
from calls.models import (
    Call,
    CallState,
    CommandKind,
    CommandState,
    Evidence,
    Participant,
    StreamCommand,
    StreamingProfile,
    StreamingState,
    TranscriptionStart,
    TranscriptionState,
)
from tests.control.line import Line, ask, fresh, send

pytestmark = [pytest.mark.database, pytest.mark.django_db]

CALLER = "4:+12065550150"
AGENT = "8:acs:r_agent"
GUEST = "8:acs:r_guest"
PHONE = "+1 (206) 555-0199"
OURS = "+18005550199"
# For those who do not answer.
SOON = {"ring_seconds": 30}


def connected(line: Line, **plan: object) -> Call:
    people = {"from": CALLER, "participants": [CALLER, AGENT]}
    call = line.answer(start=False, **people | plan)
    line.bench.deliver_until("ParticipantsUpdated")
    return fresh(call)


def person(call: Call, raw_id: str) -> Participant:
    return call.participants.get(raw_id=raw_id)


def proof(command: StreamCommand) -> tuple[str, str]:
    return fresh(command).state, command.evidence


@pytest.mark.parametrize("target", [PHONE, GUEST, "8:orgid:6f9a0a07-2f43"])
def test_adds_a_participant(line: Line, target: str) -> None:
    call = connected(line)

    add = send(ask(call, CommandKind.ADD_PARTICIPANT, target=target, caller_id=OURS))
    line.bench.deliver_until("AddParticipantSucceeded")
    line.bench.deliver_until("ParticipantsUpdated")

    assert proof(add) == (CommandState.CONFIRMED, Evidence.CALLBACK)
    assert call.participants.filter(left_at=None).count() == 3
    assert line.effects(add) == 1


def test_says_that_nobody_answered(line: Line) -> None:
    call = connected(line, faults={"unanswered": GUEST}, options=SOON)

    add = send(ask(call, CommandKind.ADD_PARTICIPANT, target=GUEST))
    line.bench.deliver_until("AddParticipantFailed")

    assert proof(add) == (CommandState.FAILED, Evidence.CALLBACK)
    assert add.result
    assert add.result_code


def test_removes_a_participant(line: Line) -> None:
    call = connected(line)

    remove = send(ask(call, CommandKind.REMOVE_PARTICIPANT, participant=AGENT))
    line.bench.deliver_until("RemoveParticipantSucceeded")
    line.bench.deliver_until("ParticipantsUpdated")

    assert proof(remove) == (CommandState.CONFIRMED, Evidence.CALLBACK)
    assert person(call, AGENT).left_at


def test_mutes_once(line: Line) -> None:
    call = connected(line)

    mute = send(ask(call, CommandKind.MUTE, participant=CALLER))

    assert proof(mute) == (CommandState.CONFIRMED, Evidence.ASKED)
    assert person(call, CALLER).is_muted
    assert line.report()["muted"] == [CALLER]
    with pytest.raises(CommandRefused, match="muted already"):
        ask(call, CommandKind.MUTE, participant=CALLER)


def test_holds_and_takes_off_hold(line: Line) -> None:
    call = connected(line)

    hold = send(ask(call, CommandKind.HOLD, participant=CALLER))
    assert line.report()["on_hold"] == [CALLER]
    assert person(call, CALLER).is_on_hold

    unhold = send(ask(call, CommandKind.UNHOLD, participant=CALLER))
    assert line.report()["on_hold"] == []
    assert not person(call, CALLER).is_on_hold
    assert {proof(hold), proof(unhold)} == {(CommandState.CONFIRMED, Evidence.ASKED)}


def test_two_participants_are_held_at_once(line: Line) -> None:
    call = connected(line)
    ask(call, CommandKind.HOLD, participant=CALLER)

    with pytest.raises(CommandRefused, match="still under way"):
        ask(call, CommandKind.HOLD, participant=CALLER)
    ask(call, CommandKind.HOLD, participant=AGENT)


def test_orders_need_a_participant_who_is_there(line: Line) -> None:
    call = connected(line)

    with pytest.raises(CommandRefused, match="not in the call"):
        ask(call, CommandKind.MUTE, participant=GUEST)
    with pytest.raises(CommandRefused, match="Say which"):
        ask(call, CommandKind.HOLD)
    with pytest.raises(CommandRefused, match="is in the call already"):
        ask(call, CommandKind.ADD_PARTICIPANT, target=AGENT)


def test_transfers_a_call_and_is_out_of_it(line: Line) -> None:
    call = connected(line)

    transfer = send(ask(call, CommandKind.TRANSFER, target=GUEST))
    line.bench.deliver_until("CallTransferAccepted")
    line.bench.deliver_until("CallDisconnected")

    assert proof(transfer) == (CommandState.CONFIRMED, Evidence.CALLBACK)
    assert fresh(call).state == CallState.ENDED


def test_a_transfer_nobody_takes_leaves_the_call_as_it_is(line: Line) -> None:
    call = connected(line, faults={"unanswered": GUEST}, options=SOON)

    transfer = send(ask(call, CommandKind.TRANSFER, target=GUEST))
    line.bench.deliver_until("CallTransferFailed")

    assert proof(transfer) == (CommandState.FAILED, Evidence.CALLBACK)
    assert fresh(call).state == CallState.CONNECTED


def test_a_phone_is_rung_only_from_a_number_of_ours(line: Line) -> None:
    call = connected(line)

    for kind in (CommandKind.TRANSFER, CommandKind.ADD_PARTICIPANT):
        with pytest.raises(CommandRefused, match="caller id"):
            ask(call, kind, target=PHONE)


def test_leaves_and_lets_the_others_talk(line: Line) -> None:
    call = connected(line)

    leave = send(ask(call, CommandKind.LEAVE))
    line.bench.deliver_until("CallDisconnected")

    assert fresh(leave).state == CommandState.CONFIRMED
    assert fresh(call).state == CallState.ENDED
    assert line.report()["left"] is True


def test_hangs_up_for_everyone(line: Line) -> None:
    call = connected(line)

    send(ask(call, CommandKind.HANG_UP))
    line.bench.deliver_until("CallDisconnected")

    assert fresh(call).state == CallState.ENDED
    assert line.report()["left"] is False


def streamed(line: Line) -> Call:
    """Return a call that is being streamed, as ingest would have told."""
    call = connected(line)
    send(ask(call, CommandKind.START_STREAMING))
    line.bench.deliver_until("MediaStreamingStarted")
    control.streaming_seen(call.id, StreamingState.STREAMING, at=timezone.now())
    return fresh(call)


def test_pauses_with_a_reason_and_resumes(line: Line) -> None:
    call = streamed(line)

    pause = send(ask(call, CommandKind.PAUSE, reason="card number"))
    line.bench.deliver_until("MediaStreamingStopped")

    call = fresh(call)
    assert proof(pause) == (CommandState.CONFIRMED, Evidence.CALLBACK)
    assert (call.paused_why, pause.why) == ("card number", "card number")
    assert call.paused_at
    assert call.streaming_state == StreamingState.STOPPED
    with pytest.raises(CommandRefused, match="Resume it instead"):
        ask(call, CommandKind.START_STREAMING)

    resume = send(ask(call, CommandKind.RESUME))
    assert fresh(call).paused_at, "not before it is proved"
    line.bench.deliver_until("MediaStreamingStarted")

    assert fresh(resume).state == CommandState.CONFIRMED
    assert fresh(call).paused_at is None
    [window] = stop_windows(call.id)
    assert (window.start, window.end) == (pause.sent_at, resume.sent_at)


def test_a_pause_that_fails_is_no_pause(line: Line) -> None:
    call = streamed(line)
    line.bench.fail_rest("stopMediaStreaming", 403)

    pause = send(ask(call, CommandKind.PAUSE, reason="card number"))

    call = fresh(call)
    assert pause.state == CommandState.FAILED
    assert call.paused_at is None
    assert call.streaming_state == StreamingState.STREAMING
    assert "403" in call.streaming_reason


def test_a_pause_without_a_reason_is_refused(line: Line) -> None:
    call = streamed(line)

    with pytest.raises(CommandRefused, match="Say why"):
        ask(call, CommandKind.PAUSE, reason="  ")
    with pytest.raises(CommandRefused, match="not paused"):
        ask(call, CommandKind.RESUME)


def test_audio_that_comes_all_the_same_ends_a_pause(line: Line) -> None:
    call = streamed(line)
    send(ask(call, CommandKind.PAUSE, reason="card number"))
    line.bench.deliver_until("MediaStreamingStopped")

    control.streaming_seen(call.id, StreamingState.STREAMING, at=timezone.now())

    assert fresh(call).paused_at is None


def transcribed(line: Line, **plan: object) -> Call:
    """Return a call of which ACS says that it is transcribed."""
    call = connected_for_transcription(line, **plan)
    send(ask(call, CommandKind.START_TRANSCRIPTION))
    line.bench.deliver_until("TranscriptionStarted")
    return fresh(call)


def connected_for_transcription(line: Line, **plan: object) -> Call:
    """Answer with a profile that gives ACS a transcription URL."""
    StreamingProfile.objects.create(
        name="Transcribed",
        is_default=True,
        start_at_answer=False,
        transcription=TranscriptionStart.ON_DEMAND,
        locale="de-DE",
    )
    call = line.ring(**{"from": CALLER, "participants": [CALLER, AGENT]} | plan)
    send(call.commands.get())
    line.bench.deliver_until("ParticipantsUpdated")
    return fresh(call)


def test_starts_changes_and_stops_transcription(line: Line) -> None:
    call = transcribed(line)
    assert (call.desired_transcription, call.transcription_state) == (True, "running")
    assert line.report()["transcription"]["state"] == "active"

    update = send(ask(call, CommandKind.UPDATE_TRANSCRIPTION, locale="en-GB"))
    line.bench.deliver_until("TranscriptionUpdated")
    assert proof(update) == (CommandState.CONFIRMED, Evidence.CALLBACK)
    assert line.report()["transcription"]["locale"] == "en-GB"

    stop = send(ask(call, CommandKind.STOP_TRANSCRIPTION))
    line.bench.deliver_until("TranscriptionStopped")
    assert proof(stop) == (CommandState.CONFIRMED, Evidence.CALLBACK)
    call = fresh(call)
    assert (call.desired_transcription, call.transcription_state) == (False, "stopped")


def send_all(line: Line, call: Call) -> None:
    """Send what is queued, and deliver what comes until all of it is settled."""
    for command in call.commands.filter(state=CommandState.QUEUED):
        send(command)
    while call.commands.filter(state=CommandState.SENT).exists():
        assert line.bench.next_letter().deliver() == 200


def test_a_pause_pauses_transcription_too_and_resume_takes_it_up(line: Line) -> None:
    call = streamed_and_transcribed(line)

    ask(call, CommandKind.PAUSE, reason="card number")
    send_all(line, call)
    report = line.report()
    assert report["transcription"]["state"] != "active"
    assert report["media"]["state"] != "active"

    ask(call, CommandKind.RESUME)
    send_all(line, call)
    send_all(line, call)
    assert line.report()["transcription"]["state"] == "active"
    assert fresh(call).transcription_state == TranscriptionState.RUNNING


def test_transcription_stays_stopped_when_resuming_fails(line: Line) -> None:
    call = streamed_and_transcribed(line)
    ask(call, CommandKind.PAUSE, reason="card number")
    send_all(line, call)

    resume = ask(call, CommandKind.RESUME)
    control.command_settle(resume.id, CommandState.FAILED, words="refused")
    send_all(line, call)

    assert fresh(call).paused_at
    assert not call.commands.open().exists()
    assert line.report()["transcription"]["state"] != "active"


def test_transcription_goes_on_when_pausing_fails(line: Line) -> None:
    call = streamed_and_transcribed(line)

    pause = ask(call, CommandKind.PAUSE, reason="card number")
    control.command_settle(pause.id, CommandState.FAILED, words="refused")
    send_all(line, call)
    send_all(line, call)

    assert not fresh(call).paused_at
    assert line.report()["transcription"]["state"] == "active"
    assert fresh(call).transcription_state == TranscriptionState.RUNNING


def streamed_and_transcribed(line: Line) -> Call:
    call = transcribed(line)
    send(ask(call, CommandKind.START_STREAMING))
    line.bench.deliver_until("MediaStreamingStarted")
    return fresh(call)


def test_a_pause_stops_a_transcription_that_just_takes_another_order(
    line: Line,
) -> None:
    call = streamed_and_transcribed(line)
    update = send(ask(call, CommandKind.UPDATE_TRANSCRIPTION, locale="en-GB"))

    ask(call, CommandKind.PAUSE, reason="card number")
    assert fresh(update).state == CommandState.SENT
    send_all(line, call)
    send_all(line, call)

    assert line.report()["transcription"]["state"] != "active"
    assert fresh(call).transcription_state == TranscriptionState.STOPPED


def test_a_transcription_that_is_asked_for_during_a_pause_is_left_alone(
    line: Line,
) -> None:
    call = streamed_and_transcribed(line)
    ask(call, CommandKind.PAUSE, reason="music")
    send_all(line, call)

    ask(call, CommandKind.START_TRANSCRIPTION)
    send_all(line, call)

    assert not call.commands.open().exists()
    assert line.report()["transcription"]["state"] == "active"


def test_resume_takes_up_a_transcription_that_is_still_being_stopped(
    line: Line,
) -> None:
    call = streamed_and_transcribed(line)
    send(ask(call, CommandKind.PAUSE, reason="card number"))
    line.bench.deliver_until("MediaStreamingStopped")

    ask(call, CommandKind.RESUME)
    send_all(line, call)
    send_all(line, call)

    assert line.report()["transcription"]["state"] == "active"
    assert fresh(call).transcription_state == TranscriptionState.RUNNING


def test_a_pause_waits_for_no_turn_to_stop_transcription(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = streamed_and_transcribed(line)
    monkeypatch.setattr(pacing, "turn_take", lambda _: 60.0)

    ask(call, CommandKind.PAUSE, reason="card number")
    send_all(line, call)

    assert line.report()["transcription"]["state"] != "active"


def test_resume_does_not_start_a_transcription_that_somebody_stopped(
    line: Line,
) -> None:
    call = transcribed(line)
    ask(call, CommandKind.START_STREAMING)
    send_all(line, call)
    for kind, arguments in (
        (CommandKind.PAUSE, {"reason": "card number"}),
        (CommandKind.RESUME, {}),
        (CommandKind.STOP_TRANSCRIPTION, {}),
        (CommandKind.PAUSE, {"reason": "card number"}),
        (CommandKind.RESUME, {}),
    ):
        ask(call, kind, **arguments)
        send_all(line, call)
        send_all(line, call)

    assert fresh(call).transcription_state == TranscriptionState.STOPPED
    assert line.report()["transcription"]["state"] != "active"


def test_transcription_needs_a_profile_that_gives_its_url(line: Line) -> None:
    call = connected(line)

    with pytest.raises(CommandRefused, match="does not allow transcription"):
        ask(call, CommandKind.START_TRANSCRIPTION)


def test_without_an_azure_ai_resource_no_transcription_is_asked_for(
    line: Line, settings: Settings
) -> None:
    settings.COGNITIVE_ENDPOINT = ""

    call = connected_for_transcription(line)

    assert call.state == CallState.CONNECTED
    assert line.report()["transcription"] is None
    with pytest.raises(CommandRefused, match="ACSSTREAM_COGNITIVE_ENDPOINT is not set"):
        ask(call, CommandKind.START_TRANSCRIPTION)


def test_a_resource_that_is_named_too_late_fails_and_says_what_to_do(
    line: Line, settings: Settings
) -> None:
    endpoint, settings.COGNITIVE_ENDPOINT = settings.COGNITIVE_ENDPOINT, ""
    call = connected_for_transcription(line)
    settings.COGNITIVE_ENDPOINT = endpoint

    start = send(ask(call, CommandKind.START_TRANSCRIPTION))
    line.bench.deliver_until("TranscriptionFailed")

    assert proof(start) == (CommandState.FAILED, Evidence.CALLBACK)
    reason = fresh(call).transcription_reason
    assert "Set ACSSTREAM_COGNITIVE_ENDPOINT, and answer the next call" in reason


def test_transcription_that_fails_says_why(line: Line) -> None:
    call = connected_for_transcription(line, faults={"transcription": "8581"})

    start = send(ask(call, CommandKind.START_TRANSCRIPTION))
    line.bench.deliver_until("TranscriptionFailed")

    assert proof(start) == (CommandState.FAILED, Evidence.CALLBACK)
    call = fresh(call)
    assert call.transcription_state == TranscriptionState.FAILED
    assert call.transcription_reason


@pytest.mark.parametrize("locale", ["english", "en_US", "EN-us", "en-US; drop"])
def test_a_language_that_is_none_is_refused(line: Line, locale: str) -> None:
    call = connected_for_transcription(line)

    with pytest.raises(CommandRefused, match="locale"):
        ask(call, CommandKind.START_TRANSCRIPTION, locale=locale)
