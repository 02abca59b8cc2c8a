"""Orders about what we say into a call: play a prompt, be silent.

ACS is told nothing by these: ingest is, which has the call's socket. What becomes of it
is told by `Utterance` rows, whose command it is.
"""

from uuid import UUID

from redis.exceptions import RedisError

from calls.acs import Acs, AcsRefused
from calls.live.speaking import PlayPrompt, Spoken, StopAudio, speak
from calls.models import (
    Call,
    CommandKind,
    CommandState,
    Prompt,
    StreamCommand,
)
from calls.orders.order import (
    Arguments,
    CommandRefused,
    Given,
    Order,
    not_connected,
)

YES = ("yes", "on", "true", "1")


def prompts_offered() -> list[Prompt]:
    """Return what can be played, by name."""
    return list(Prompt.objects.filter(is_withdrawn=False).order_by("name"))


def _play_read(_: Call, given: Given) -> Arguments:
    """Return which prompt to play, by its key and by the name it has now."""
    prompt = _prompt(str(given.get("prompt") or ""))
    interrupts = str(given.get("interrupts") or "").lower() in YES
    return {"prompt": str(prompt.pk), "prompt_name": prompt.name} | (
        {"interrupts": "yes"} if interrupts else {}
    )


def _prompt(key: str) -> Prompt:
    if not key:
        if Prompt.objects.filter(is_withdrawn=False).exists():
            raise CommandRefused("Say which prompt to play.")
        raise CommandRefused("There is no prompt yet. Add one under Prompts.")
    try:
        found = Prompt.objects.filter(pk=UUID(key)).first()
    except ValueError:
        found = None
    if found is None:
        raise CommandRefused("There is no such prompt in the library.")
    if found.is_withdrawn:
        raise CommandRefused(f"The prompt “{found.name}” is withdrawn. Choose another.")
    return found


def cannot_speak(call: Call) -> str:
    """Say why nothing can be said into a call; empty if it can."""
    if refusal := not_connected(call):
        return refusal
    if call.hears_us:
        return ""
    profile = call.profile
    if profile and profile.bidirectional:
        return (
            "The call was answered to be heard only: that the profile"
            f" “{profile}” is bidirectional by now holds for new calls."
        )
    name = f"The profile “{profile}”" if profile else "How the call was answered"
    return f"{name} does not let us speak into the call: it is not bidirectional."


def _play_refusal(call: Call, _: Arguments) -> str:
    if refusal := cannot_speak(call):
        return refusal
    if call.paused_at:
        return "Recording is paused, and what we play goes the same way. Resume it."
    if not call.is_streamed:
        return "The call is not being streamed: nothing we play would reach it."
    return ""


def _play_send(_: Acs, command: StreamCommand) -> None:
    prompt = Prompt.objects.filter(pk=command.arguments["prompt"]).first()
    if prompt is None or prompt.is_withdrawn:
        raise AcsRefused("The prompt was withdrawn before it could be played.")
    _tell(
        PlayPrompt(
            call=str(command.call_id),
            command=str(command.pk),
            prompt=str(prompt.pk),
            name=prompt.name,
            audio={16_000: prompt.audio_16k, 24_000: prompt.audio_24k},
            interrupts="interrupts" in command.arguments,
        )
    )


def _stop_send(_: Acs, command: StreamCommand) -> None:
    who = command.asked_by
    _tell(
        StopAudio(
            call=str(command.call_id),
            command=str(command.pk),
            name=who.get_username() if who else "System",
        )
    )


def _tell(spoken: Spoken) -> None:
    """Tell ingest. Nobody who listens, or no Redis: another try is due."""
    try:
        heard_by = speak(spoken)
    except (RedisError, OSError) as exc:
        raise AcsRefused(
            f"Redis cannot be reached ({type(exc).__name__}), so ingest was not told.",
            is_retryable=True,
        ) from exc
    if not heard_by:
        raise AcsRefused(
            "No ingest process listens, so nothing was played or stopped. Check that"
            " one runs.",
            is_retryable=True,
        )


ORDERS: dict[str, Order] = {
    CommandKind.PLAY_PROMPT: Order(
        permission="calls.play_prompt",
        read=_play_read,
        refusal=_play_refusal,
        send=_play_send,
        told="Ingest",
    ),
    CommandKind.STOP_AUDIO: Order(
        permission="calls.play_prompt",
        # Whatever is said, and however it came to be: silence is never refused.
        refusal=not_connected,
        send=_stop_send,
        at_call_end=(CommandState.CONFIRMED, "The call has ended."),
        is_urgent=True,
        told="Ingest",
    ),
}
