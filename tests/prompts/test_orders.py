"""Playing a prompt and being silent: refused in words, or told to ingest over Redis."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import redis
from django.test import Client
from django.utils import timezone

from calls import control, pacing
from calls.control import CommandRefused, commands_sweep
from calls.ingest_facts import call_facts
from calls.live.speaking import SPEAK, PlayPrompt, Spoken, StopAudio, spoken_decoder
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    Prompt,
    StreamCommand,
    StreamingProfile,
    Utterance,
)
from calls.orders.coming import media_options
from streaming.talk.rights import why_unheard
from tests.control.line import ask, fresh, send
from tests.factories import (
    CallFactory,
    ConnectionFactory,
    ProfileFactory,
    PromptFactory,
    UserFactory,
    UtteranceFactory,
)

pytestmark = [pytest.mark.database, pytest.mark.django_db]

PLAY, STOP = CommandKind.PLAY_PROMPT, CommandKind.STOP_AUDIO


class Ingest:
    """An ingest process, as far as it hears what it is told."""

    def __init__(self, client: redis.Redis) -> None:
        pubsub: Any = client.pubsub
        self._heard = pubsub(ignore_subscribe_messages=True)
        self._heard.subscribe(SPEAK)
        # The answer to the subscription.
        self._heard.get_message(timeout=10)

    def next(self) -> Spoken:
        message = self._heard.get_message(timeout=10)
        assert message, "nothing was said"
        return spoken_decoder.decode(message["data"])


@contextmanager
def listening(url: str) -> Iterator[Ingest]:
    with redis.Redis.from_url(url) as client:
        yield Ingest(client)


def play(call: Call, prompt: Prompt, **more: str) -> StreamCommand:
    return ask(call, PLAY, prompt=str(prompt.pk), **more)


# --- what ingest is told ----------------------------------------------------------


def test_tells_ingest_which_files_to_play(call: Call, real_redis: str) -> None:
    prompt = PromptFactory.create(name="Recording notice")

    with listening(real_redis) as ingest:
        command = send(play(call, prompt, interrupts="yes"))
        told = ingest.next()

    assert told == PlayPrompt(
        call=str(call.pk),
        command=str(command.pk),
        prompt=str(prompt.pk),
        name="Recording notice",
        audio={16_000: prompt.audio_16k, 24_000: prompt.audio_24k},
        interrupts=True,
    )
    assert command.state == CommandState.SENT


def test_waits_for_what_is_being_said_unless_told_otherwise(
    call: Call, real_redis: str
) -> None:
    with listening(real_redis) as ingest:
        send(play(call, PromptFactory.create()))
        told = ingest.next()

    assert isinstance(told, PlayPrompt)
    assert not told.interrupts


def test_tells_ingest_to_be_silent_and_who_wants_it(
    call: Call, real_redis: str
) -> None:
    ada = UserFactory.create(username="ada")

    with listening(real_redis) as ingest:
        command = control.command_ask(call=call, kind=STOP, asked_by=ada)
        send(command)
        told = ingest.next()

    assert told == StopAudio(call=str(call.pk), command=str(command.pk), name="ada")


def test_tries_again_with_the_same_key_when_nobody_listened(
    call: Call, real_redis: str
) -> None:
    command = send(play(call, PromptFactory.create()))
    assert command.state == CommandState.QUEUED
    assert "No ingest process listens" in command.result

    StreamCommand.objects.update(due_at=timezone.now())
    with listening(real_redis) as ingest:
        send(command)
        told = ingest.next()

    assert isinstance(told, PlayPrompt)
    assert told.command == str(command.pk)
    assert fresh(command).state == CommandState.SENT


def test_says_so_when_redis_is_gone(call: Call, settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    command = send(play(call, PromptFactory.create()))
    assert command.state == CommandState.QUEUED
    assert "Redis cannot be reached" in command.result


def test_a_prompt_that_was_withdrawn_meanwhile_is_not_played(
    call: Call, real_redis: str
) -> None:
    command = play(call, PromptFactory.create())
    Prompt.objects.update(is_withdrawn=True)

    command = send(command)

    assert command.state == CommandState.FAILED
    assert "withdrawn before it could be played" in command.result


def test_needs_no_acs(call: Call, real_redis: str, settings: Any) -> None:
    settings.ACS_ENDPOINT = ""

    with listening(real_redis) as ingest:
        command = send(play(call, PromptFactory.create()))
        ingest.next()

    assert command.state == CommandState.SENT


def test_takes_nothing_of_what_acs_allows(
    call: Call, real_redis: str, settings: Any
) -> None:
    settings.ACS_RATE = 20
    with redis.Redis.from_url(real_redis) as client, listening(real_redis) as ingest:
        client.delete(pacing.KEY)
        send(play(call, PromptFactory.create()))
        ingest.next()
        assert not client.exists(pacing.KEY)


# --- what becomes of it -----------------------------------------------------------


def aged(command: StreamCommand) -> None:
    """Let a minute pass for a command that was sent."""
    before = timezone.now() - timedelta(seconds=60)
    StreamCommand.objects.filter(pk=command.pk).update(
        state=CommandState.SENT, sent_at=before, accepted_at=before
    )


def test_what_no_ingest_process_has_a_socket_for_times_out(call: Call) -> None:
    command = play(call, PromptFactory.create())
    aged(command)

    commands_sweep(timezone.now())

    assert fresh(command).state == CommandState.TIMED_OUT
    assert "no ingest process has this call's socket" in command.result


def test_what_stands_in_line_is_not_late(call: Call) -> None:
    prompt = PromptFactory.create()
    command = play(call, prompt)
    aged(command)
    said = UtteranceFactory.create(
        call=call, prompt=prompt, command=command, state="queued", start_us=None
    )
    ConnectionFactory.create(call=call)

    commands_sweep(timezone.now())
    assert fresh(command).state == CommandState.SENT

    Utterance.objects.filter(pk=said.pk).update(state="stopped")
    commands_sweep(timezone.now())
    assert fresh(command).state == CommandState.TIMED_OUT


def test_what_stood_in_line_at_a_process_that_lost_the_call_is_late(call: Call) -> None:
    command = play(call, PromptFactory.create())
    aged(command)
    said = UtteranceFactory.create(
        call=call, command=command, state="queued", start_us=None
    )
    ConnectionFactory.create(call=call, opened_at=said.queued_at + timedelta(seconds=1))

    commands_sweep(timezone.now())

    assert fresh(command).state == CommandState.TIMED_OUT


# --- what is refused --------------------------------------------------------------


def test_refuses_a_call_whose_profile_is_one_way(db: None) -> None:
    profile = ProfileFactory.create(name="Listen only")
    one_way = CallFactory.create(live=True, profile=profile)

    with pytest.raises(CommandRefused, match="“Listen only” does not let us speak"):
        play(one_way, PromptFactory.create())
    with pytest.raises(CommandRefused, match="does not let us speak"):
        play(CallFactory.create(live=True), PromptFactory.create())


@pytest.mark.parametrize("both_ways", [True, False])
def test_a_call_hears_us_as_it_was_answered_whatever_its_profile_says_now(
    both_ways: bool, settings: Any
) -> None:
    settings.MEDIA_AUTH = "entra"
    profile = ProfileFactory.create(name="Mended", bidirectional=both_ways)
    call = CallFactory.build(live=True)
    call.stream_as(profile)
    call.streaming_state = "streaming"
    call.save()

    StreamingProfile.objects.update(bidirectional=not both_ways)

    call = Call.objects.get()
    assert call_facts(call.pk).is_bidirectional is both_ways
    assert media_options(call).is_bidirectional is both_ways
    assert why_unheard(call) == ("" if both_ways else "one_way")
    if both_ways:
        play(call, PromptFactory.create())
    else:
        with pytest.raises(CommandRefused, match="“Mended” is bidirectional by now"):
            play(call, PromptFactory.create())


def test_silence_may_be_asked_of_every_call_that_is_up(db: None) -> None:
    one_way = CallFactory.create(live=True, profile=ProfileFactory.create())
    assert ask(one_way, STOP).state == CommandState.QUEUED
    with pytest.raises(CommandRefused, match="The call has ended"):
        ask(CallFactory.create(ended=True), STOP)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"streaming_state": "stopped"}, "not being streamed"),
        ({"paused_at": timezone.now()}, "Recording is paused"),
        ({"connection_id": None}, "not connected yet"),
        ({"state": "ended"}, "The call has ended"),
    ],
)
def test_refuses_a_call_that_would_not_hear_it(
    call: Call, fields: dict[str, Any], words: str
) -> None:
    Call.objects.filter(pk=call.pk).update(**fields)
    with pytest.raises(CommandRefused, match=words):
        play(call, PromptFactory.create())


def test_a_call_in_which_nobody_speaks_may_still_hear(call: Call) -> None:
    Call.objects.filter(pk=call.pk).update(streaming_state="stalled")
    assert play(call, PromptFactory.create()).state == CommandState.QUEUED


def test_refuses_prompts_that_cannot_be_played(call: Call) -> None:
    with pytest.raises(CommandRefused, match="There is no prompt yet"):
        ask(call, PLAY)
    gone = PromptFactory.create(name="Old", is_withdrawn=True)
    PromptFactory.create()
    with pytest.raises(CommandRefused, match="“Old” is withdrawn"):
        play(call, gone)
    with pytest.raises(CommandRefused, match="Say which prompt"):
        ask(call, PLAY)
    for key in (str(uuid4()), "no key"):
        with pytest.raises(CommandRefused, match="no such prompt"):
            ask(call, PLAY, prompt=key)


# --- how it is offered ------------------------------------------------------------


def test_offers_the_library_on_the_page_of_an_order(
    operator: Client, call: Call
) -> None:
    notice = PromptFactory.create(name="Recording notice")
    PromptFactory.create(name="Old one", is_withdrawn=True)

    url = f"/admin/calls/call/{call.pk}/orders/play_prompt/"
    page = operator.get(url).content.decode()

    assert "Everyone in the call hears it." in page
    assert re.findall(r"<option [^>]*>([^<]*)<", page) == ["Recording notice"]
    assert re.findall(r'<audio [^>]*src="([^"]*)"', page) == [
        f"/prompts/{notice.pk}/audio"
    ]
    assert 'type="checkbox" name="interrupts"' in page


def test_plays_a_prompt_into_all_chosen_calls_that_can_hear_it(
    operator: Client, call: Call, real_redis: str
) -> None:
    prompt = PromptFactory.create()
    deaf = CallFactory.create(live=True)
    chosen = {"action": PLAY, "_selected_action": [str(call.pk), str(deaf.pk)]}

    page = operator.post("/admin/calls/call/", chosen)
    text = page.content.decode()
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', text))
    operator.post(
        "/admin/calls/call/bulk/play_prompt/", hidden | {"prompt": str(prompt.pk)}
    )

    assert "does not let us speak into the call" in text
    [command] = StreamCommand.objects.all()
    assert command.call == call
    assert command.arguments["prompt_name"] == prompt.name


def test_says_why_no_chosen_call_can_hear_anything(
    operator: Client, call: Call
) -> None:
    chosen = {"action": PLAY, "_selected_action": [str(call.pk)]}
    page = operator.post("/admin/calls/call/", chosen, follow=True)
    assert "There is no prompt yet. Add one under Prompts." in page.content.decode()


def test_the_audit_log_names_the_prompt(operator: Client, call: Call) -> None:
    prompt = PromptFactory.create(name="Recording notice")

    operator.post(f"/calls/{call.pk}/commands/play_prompt", {"prompt": str(prompt.pk)})

    root = UserFactory.create(is_superuser=True)
    operator.force_login(root)
    page = operator.get("/admin/calls/auditentry/").content.decode()
    assert "prompt Recording notice" in page
    assert str(prompt.pk) not in page
