"""A call's conversation with the model: what its events mean for the call, and back.

It knows no socket and never waits: it is told events, onsets of speech and the time,
speaks through the call's line, and hands what the service is to be told to `send`. It
outlives the service's sessions; `begin_session` tells it that there is a new one.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from streaming.handlers.interface import Line
from streaming.handlers.realtime import events
from streaming.handlers.realtime.answers import Answers, Said, heard_part
from streaming.handlers.realtime.errors import ServiceError, is_final
from streaming.handlers.realtime.events import Event, Message, OutputItem, Trouble
from streaming.handlers.realtime.mixing import InputClock
from streaming.handlers.realtime.options import RealtimeOptions
from streaming.handlers.realtime.service import backoff
from streaming.protocol import US

# How much of the conversation a new session is told.
HISTORY: Final = 40
# Answers that were cut, of which late audio may still come.
REMEMBERED: Final = 64
# What the audio that came and the audio that was heard may differ by at the end.
FRAME_MS: Final = 20
PADDING_MS: Final = 300


class Conversation:
    """What is said, by whom, and how much of it was heard."""

    def __init__(
        self,
        line: Line,
        options: RealtimeOptions,
        *,
        call_tools: Callable[[str, list[OutputItem]], None],
    ) -> None:
        self.send: Callable[[Message], None] = _nowhere
        self.report = line.report
        # Who spoke last, and what else an interruption means.
        self.speaker: Callable[[], str] = str
        self.interrupted: Callable[[], None] = _nothing
        self.clock = InputClock()
        self.answers = Answers(line)
        # What was said, by role, for a new session.
        self.history: deque[tuple[str, str]] = deque(maxlen=HISTORY)
        self.session = 0
        self.malformed = 0
        self._line = line
        self._options = options
        self._call_tools = call_tools
        self._active = ""
        self._dead: deque[str] = deque(maxlen=REMEMBERED)
        self._calls: list[OutputItem] = []
        # Words of items whose audio has not come yet.
        self._words: dict[str, str] = {}
        # The caller's turns: number, when it began, how long it was.
        self._turns: dict[str, tuple[int, int, int]] = {}
        self._is_wanted = False
        self._is_awaited = False
        self._retry_at: float | None = None
        self._reset_seconds = 0.0
        self._failures = 0
        self._heard_from_at = 0.0

    # Sessions.

    def begin_session(self, send: Callable[[Message], None]) -> None:
        """Go on with a new session, which knows nothing yet."""
        is_owed = self._is_owed
        self.send, self.session, self.clock = send, self.session + 1, InputClock()
        self._active, self._calls, self._is_wanted = "", [], False
        self._turns.clear()
        for role, text in self.history:
            send(events.message(role, text))
        self._heard_from_at = time.monotonic()
        if is_owed:
            self.respond()
        elif self.session == 1 and self._options.greeting:
            self.respond(f"Greet the caller. Say: {self._options.greeting}")

    @property
    def _is_owed(self) -> bool:
        """Say whether the caller waits for an answer, or for the rest of one."""
        is_due = self._is_awaited or self._is_wanted or self._retry_at is not None
        return is_due or (bool(self._active) and self._active not in self._dead)

    def end_session(self) -> None:
        """Let what came be heard: no more will come of it."""
        self.send = _nowhere
        for said in self.answers:
            if not said.is_whole:
                said.is_lost = True
                said.finish()

    def silent_for(self) -> float:
        """Return for how many seconds the service owes us something."""
        if not (self._active or self._is_awaited):
            return 0.0
        return time.monotonic() - self._heard_from_at

    # What we ask for.

    def respond(self, instructions: str = "") -> None:
        """Have the model answer, now or after what it answers now."""
        if self._active:
            self._is_wanted = True
            return
        self._is_wanted, self._is_awaited, self._retry_at = False, True, None
        self._heard_from_at = time.monotonic()
        self.send(events.respond(instructions))

    @property
    def is_settled(self) -> bool:
        """Say whether nothing is being said, and nothing is to come."""
        return self.answers.is_silent and not self._active and not self._is_owed

    def interrupt(self, *, by_service: bool) -> None:
        """Be silent: the caller speaks.

        The service cancels its answer itself, where it was the one who heard that.
        """
        if self._active and self._active not in self._dead:
            self._dead.append(self._active)
            if not by_service:
                self.send(events.cancel(self._active))
        self._note_heard()
        if self.answers.is_silent:
            return
        self.interrupted()
        saying = [*self.answers]
        cuts = {
            id(cut.saying): cut for cut in self._line.stop_audio("The caller spoke.")
        }
        for said in saying:
            cut = cuts.get(id(said.saying))
            if cut is not None:
                self._cut(said, cut.played_ms)

    def _cut(self, said: Said, played_ms: int) -> None:
        """Take note of how much of an item was heard, and tell the service."""
        self.answers.note_begun()
        heard_ms = min(played_ms, said.received_ms)
        is_heard = said.is_whole and heard_ms > said.received_ms - FRAME_MS
        if not is_heard and said.session == self.session:
            self.send(events.truncate(said.item_id, heard_ms))
        if said.response_id not in self._dead:
            self._dead.append(said.response_id)
        text = heard_part(said.text, heard_ms, said.received_ms)
        self._tell(said, said.text if is_heard else text, heard_ms, is_cut=not is_heard)

    def _tell(self, said: Said, text: str, heard_ms: int, *, is_cut: bool) -> None:
        self.answers.drop(said)
        if not text or not said.start_us:
            return
        self.history.append(("assistant", text))
        self._line.transcript(
            number=said.number,
            raw_id=US,
            text=text,
            start_us=said.start_us,
            duration_us=heard_ms * 1000,
            is_cut=is_cut,
        )

    # The time.

    def tick(self) -> None:
        """Look after what time brings; to be called every 20 ms or so."""
        self._note_heard()
        if self._retry_at is not None and time.monotonic() >= self._retry_at:
            self.respond()

    def _note_heard(self) -> None:
        self.answers.note_begun()
        for said in self.answers:
            if said.saying.is_over:
                self._note_over(said)

    def _note_over(self, said: Said) -> None:
        played_ms = said.saying.played_ms
        if said.is_whole and played_ms > said.received_ms - FRAME_MS:
            self._tell(said, said.text, played_ms, is_cut=said.is_lost)
        else:
            # Somebody else had us be silent.
            self._cut(said, played_ms)

    def close(self) -> None:
        """Keep in words what was heard until now: the call has ended."""
        self.answers.note_begun()
        for said in self.answers:
            played_ms = said.saying.played_ms
            text = heard_part(said.text, played_ms, max(1, said.received_ms))
            is_cut = not said.is_whole or played_ms < said.received_ms - FRAME_MS
            self._tell(said, text, played_ms, is_cut=is_cut)

    # What the service says.

    def take(self, text: bytes | str) -> None:
        """Act on a message of the service. Raises ServiceError where all is lost."""
        event = events.read(text)
        if event is None:
            self.malformed += 1
            return
        self._heard_from_at = time.monotonic()
        act = _ACTS.get(event.type)
        if act is not None:
            act(self, event)

    def _on_speech_started(self, event: Event) -> None:
        start_us = self.clock.at(event.audio_start_ms + PADDING_MS)
        self._turns[event.item_id] = (self.answers.next_number(), start_us, 0)
        if self._options.barge_in != "local":
            self.interrupt(by_service=True)

    def _on_speech_stopped(self, event: Event) -> None:
        turn = self._turns.get(event.item_id)
        if turn is not None:
            end_us = self.clock.at(event.audio_end_ms - self._options.silence_ms)
            self._turns[event.item_id] = (*turn[:2], max(0, end_us - turn[1]))
        self._is_awaited = True

    def _on_transcribed(self, event: Event) -> None:
        now = (0, self._line.now_us(), 0)
        number, start_us, duration_us = self._turns.pop(event.item_id, now)
        text = event.transcript.strip()
        if not text:
            return
        self.history.append(("user", text))
        self._line.transcript(
            number=number or self.answers.next_number(),
            raw_id=self.speaker(),
            text=text,
            start_us=start_us or now[1],
            duration_us=duration_us,
        )

    def _on_response_created(self, event: Event) -> None:
        if event.response is not None:
            self._active = event.response.id
            self._is_awaited, self._retry_at, self._calls = False, None, []
            self._words.clear()

    def _on_audio(self, event: Event) -> None:
        pcm = event.audio()
        if not pcm or not event.item_id or event.response_id in self._dead:
            return
        said = self.answers.get(event.item_id)
        if said is None:
            said = self.answers.begin(event.item_id, event.response_id, self.session)
            said.text = self._words.pop(event.item_id, "")
        if not said.write(pcm) and not said.saying.is_over:
            self.report("the model said more at once than can be kept")

    def _on_words(self, event: Event) -> None:
        said = self.answers.get(event.item_id)
        if said is not None:
            said.text += event.delta
        elif event.response_id == self._active and event.response_id not in self._dead:
            # The first words of an item come before its audio.
            self._words[event.item_id] = (
                self._words.get(event.item_id, "") + event.delta
            )

    def _on_all_words(self, event: Event) -> None:
        said = self.answers.get(event.item_id)
        if said is not None and event.transcript:
            said.text = event.transcript

    def _on_audio_done(self, event: Event) -> None:
        said = self.answers.get(event.item_id)
        if said is not None:
            said.finish()

    def _on_item_done(self, event: Event) -> None:
        if event.item is not None and event.item.type == "function_call":
            self._calls.append(event.item)

    def _on_response_done(self, event: Event) -> None:
        response = event.response
        if response is None or response.id != self._active:
            return
        self._active = ""
        for said in self.answers:
            if said.response_id == response.id:
                said.finish()
        calls, self._calls = self._calls, []
        if response.status == "completed":
            self._failures = 0
            if calls:
                self._call_tools(response.id, calls)
        elif response.status == "failed":
            details = response.status_details
            self._failed(details.error if details and details.error else Trouble())
        if self._is_wanted:
            self.respond()

    def _on_rate_limits(self, event: Event) -> None:
        spent = [limit for limit in event.rate_limits if limit.remaining == 0]
        waits = (limit.reset_seconds or 0.0 for limit in spent)
        self._reset_seconds = max(waits, default=0.0)

    def _on_error(self, event: Event) -> None:
        trouble = event.error or Trouble()
        if trouble.event_id == SETTINGS_EVENT:
            why = f"the service refuses the session's settings ({trouble.name})"
            raise ServiceError(why, is_final=True)
        if is_final(trouble):
            raise ServiceError(f"the service says {trouble.name}", is_final=True)
        if trouble.name == "response_cancel_not_active":
            # Our cancellation came too late: no trouble.
            return
        if trouble.name == "conversation_already_has_active_response":
            self._is_awaited, self._is_wanted = False, bool(self._active)
        elif self._is_awaited:
            self._is_awaited = False
            self._failed(trouble)
        else:
            self.report(f"the service reports an error: {trouble.name}")

    def _failed(self, trouble: Trouble) -> None:
        """Have an answer that failed given again, later."""
        if is_final(trouble):
            raise ServiceError(f"the service says {trouble.name}", is_final=True)
        self._failures += 1
        self.report(f"an answer failed: {trouble.name}")
        if self._failures > self._options.reconnects:
            why = f"{self._failures} answers in a row failed"
            raise ServiceError(why, is_final=True)
        wait = backoff(self._failures, self._options.backoff_seconds)
        self._retry_at = time.monotonic() + max(wait, self._reset_seconds)


SETTINGS_EVENT: Final = "settings"
_ACTS: Final[dict[str, Callable[[Conversation, Event], None]]] = {
    "input_audio_buffer.speech_started": Conversation._on_speech_started,
    "input_audio_buffer.speech_stopped": Conversation._on_speech_stopped,
    "conversation.item.input_audio_transcription.completed": (
        Conversation._on_transcribed
    ),
    "response.created": Conversation._on_response_created,
    "response.output_audio.delta": Conversation._on_audio,
    "response.output_audio.done": Conversation._on_audio_done,
    "response.output_audio_transcript.delta": Conversation._on_words,
    "response.output_audio_transcript.done": Conversation._on_all_words,
    "response.output_item.done": Conversation._on_item_done,
    "response.done": Conversation._on_response_done,
    "rate_limits.updated": Conversation._on_rate_limits,
    "error": Conversation._on_error,
}


def _nothing() -> None:
    """Nothing else."""


def _nowhere(_message: Message) -> None:
    """Nobody listens: there is no session."""
