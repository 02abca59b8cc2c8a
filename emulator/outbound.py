"""What the app says into a call: queued, played in real time, judged and kept."""

import base64
import hashlib
import json
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any

from emulator.clock import FRAME_SECONDS
from emulator.echoes import Echoes

UNDERRUN_SECONDS = 0.5
"""A pause up to this long is an underrun, a longer one separates utterances."""
RECENT = 1000
"""How many played frames are remembered for a mix with the participants."""


UTTERANCES = 1000
"""How many utterances are remembered."""


@dataclass
class Utterance:
    """Frames that were heard one after the other, without a pause or a stop between."""

    slot: int
    packets: int = 0
    digest: Any = field(default_factory=hashlib.sha256, repr=False)

    @property
    def end(self) -> int:
        """Return the slot after its last."""
        return self.slot + self.packets

    def report(self) -> dict[str, Any]:
        """Return it as the control API shows it; times since the call was connected."""
        frame_ms = round(FRAME_SECONDS * 1000)
        return {
            "at_ms": self.slot * frame_ms,
            "ms": self.packets * frame_ms,
            "sha256": self.digest.hexdigest(),
        }


class OutboundAudio:
    """One call's play-out queue, advanced by whoever looks at it.

    Times are emulated seconds since the call was connected; they never go back. A frame
    of 20 ms is played per slot from the moment the queue stops being empty.
    """

    def __init__(
        self,
        frame_bytes: int,
        *,
        enabled: bool,
        keep: float,
        echoes: Echoes | None = None,
    ) -> None:
        """Keep what is played, up to `keep` seconds of it; find echoes in it."""
        self._frame_bytes = frame_bytes
        self._enabled = enabled
        self._keep_bytes = int(keep / FRAME_SECONDS) * frame_bytes
        self._queue = bytearray()
        self._next_slot = 0
        self._ran_dry_at: float | None = None
        self._heard: list[tuple[int, bytes]] = []
        self._heard_bytes = 0
        self._recent: dict[int, bytes] = {}
        self.lint: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._deepest = 0
        # Of all that was played, pauses left out.
        self._digest = hashlib.sha256()
        self._utterances: deque[Utterance] = deque(maxlen=UTTERANCES)
        self._goes_on = False
        self._worst_stop = 0.0
        self._echoes = echoes

    def take(self, text: str, at: float, *, limit: int) -> None:
        """Act on one text message from the app."""
        self.counts["messages"] += 1
        self.advance(at)
        if len(text) > limit:
            self.lint["oversized"] += 1
            return
        message = _folded(text)
        if message is None:
            self.lint["malformed"] += 1
            return
        kind = message.get("kind")
        # On the kind and never on a member: the JavaScript SDK puts an empty stopAudio
        # into every audio message.
        match kind.lower() if isinstance(kind, str) else None:
            case "audiodata":
                self._audio(message.get("audiodata"), at)
            case "stopaudio":
                self._stop(at)
            case _:
                self.lint["unknown_kind"] += 1

    def take_binary(self) -> None:
        """Count a binary message: the wire is text."""
        self.counts["messages"] += 1
        self.lint["binary"] += 1

    def _audio(self, body: Any, at: float) -> None:
        data = body.get("data") if isinstance(body, dict) else None
        if not isinstance(data, str):
            self.lint["without_data"] += 1
            return
        try:
            pcm = base64.b64decode(data, validate=True)
        except ValueError:  # not base64, or not even ASCII
            self.lint["bad_base64"] += 1
            return
        if len(pcm) % 2:
            self.lint["odd_bytes"] += 1
            return
        if not self._enabled:
            self.counts["discarded_bytes"] += len(pcm)
            return
        self.counts["audio_messages"] += 1
        self.counts["audio_bytes"] += len(pcm)
        self._enqueue(pcm, at)

    def _enqueue(self, pcm: bytes, at: float) -> None:
        if not self._queue:
            dry = self._ran_dry_at
            if dry is not None and 0 < at - dry <= UNDERRUN_SECONDS:
                self.counts["underruns"] += 1
            # The slot that runs now is already partly over.
            self._next_slot = max(self._next_slot, int(at / FRAME_SECONDS) + 1)
        self._queue += pcm
        self._deepest = max(self._deepest, len(self._queue))

    def lose_socket(self, at: float) -> None:
        """Drop what is queued: the socket it came over has gone.

        Whether ACS does so is documented nowhere; what it says into a call belongs to
        a socket, and an app must be right either way.
        """
        self.advance(at)
        self.counts["lost_bytes"] += len(self._queue)
        self._queue.clear()
        self._ran_dry_at = None
        self._goes_on = False

    def _stop(self, at: float) -> None:
        self.counts["stops"] += 1
        # The frame that is being played is played to its end.
        self._worst_stop = max(self._worst_stop, self._next_slot * FRAME_SECONDS - at)
        self._goes_on = False
        self.counts["flushed_bytes"] += len(self._queue)
        self._queue.clear()
        # Silence after a stop was asked for: what follows is a new utterance.
        self._ran_dry_at = None

    def advance(self, at: float) -> None:
        """Play whatever is due at a moment."""
        slot = int(at / FRAME_SECONDS)
        while self._queue and self._next_slot <= slot:
            frame = bytes(self._queue[: self._frame_bytes])
            del self._queue[: self._frame_bytes]
            self._play(frame.ljust(self._frame_bytes, b"\0"))
            self._ran_dry_at = self._next_slot * FRAME_SECONDS

    def _play(self, frame: bytes) -> None:
        self.counts["played"] += 1
        self._digest.update(frame)
        if not (self._goes_on and self._utterances[-1].end == self._next_slot):
            self._utterances.append(Utterance(self._next_slot))
            self._goes_on = True
        self._utterances[-1].packets += 1
        self._utterances[-1].digest.update(frame)
        if self._echoes is not None:
            self._echoes.heard(self._next_slot, frame)
        self._recent[self._next_slot] = frame
        if len(self._recent) > RECENT:
            del self._recent[next(iter(self._recent))]
        if self._heard_bytes < self._keep_bytes:
            self._heard.append((self._next_slot, frame))
            self._heard_bytes += len(frame)
        self._next_slot += 1

    def played_in(self, slot: int) -> bytes | None:
        """Return what was played in a slot that is not long ago."""
        self.advance((slot + 1) * FRAME_SECONDS)
        return self._recent.get(slot)

    def heard(self) -> bytes:
        """Return what the call heard, from the first frame to the last.

        Slots in which nothing was played are zeros.
        """
        if not self._heard:
            return b""
        first = self._heard[0][0]
        played = bytearray((self._heard[-1][0] - first + 1) * self._frame_bytes)
        for slot, frame in self._heard:
            start = (slot - first) * self._frame_bytes
            played[start : start + self._frame_bytes] = frame
        return bytes(played)

    def report(self) -> dict[str, Any]:
        """Return the figures as the control API shows them."""
        per_ms = self._frame_bytes / (FRAME_SECONDS * 1000)
        return {
            "messages": self.counts["messages"],
            "audio_messages": self.counts["audio_messages"],
            "audio_bytes": self.counts["audio_bytes"],
            "discarded_bytes": self.counts["discarded_bytes"],
            "played_packets": self.counts["played"],
            "queued_ms": round(len(self._queue) / per_ms),
            "max_queued_ms": round(self._deepest / per_ms),
            "underruns": self.counts["underruns"],
            "stops": self.counts["stops"],
            "flushed_ms": round(self.counts["flushed_bytes"] / per_ms),
            "lost_ms": round(self.counts["lost_bytes"] / per_ms),
            "stop_to_silence_ms": round(self._worst_stop * 1000),
            "echo_round_trip_ms": self._echoes.report() if self._echoes else None,
            "heard_sha256": self._digest.hexdigest(),
            "utterances": [each.report() for each in self._utterances],
        }


def _folded(text: str) -> dict[str, Any] | None:
    """Return a JSON object with its member names in lower case, two levels deep."""
    try:
        message = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(message, dict):
        return None
    return {name.lower(): _lowered(value) for name, value in message.items()}


def _lowered(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name.lower(): inner for name, inner in value.items()}
