"""Keys that participants press, told by callbacks: ContinuousDtmfRecognition."""

from collections.abc import Callable
from dataclasses import dataclass

from emulator import events
from emulator.calls import Operation
from emulator.frames import spelled

Announce = Callable[[str, events.Event, Operation], None]
"""Posts a callback: its type, its data, and where it goes."""


@dataclass(slots=True)
class Listening:
    """Whose request made us listen to one participant, and what was heard since."""

    operation: Operation
    heard: int = 0


class Recognition:
    """Whose keys the app is told of.

    What the service says of a tone names no participant: only the request's
    `operationContext` comes back, and a `sequenceId` that counts from 1.
    """

    def __init__(self, *, fault: str, announce: Announce) -> None:
        self._fault = fault
        self._announce = announce
        self._listening: dict[str, Listening] = {}

    def report(self) -> list[str]:
        """Return the raw ids of those whose keys are heard."""
        return list(self._listening)

    def start(self, raw_id: str, operation: Operation) -> None:
        """Listen to a participant from now on; a second time counts anew."""
        if self._fault == "never":
            return
        self._listening[raw_id] = Listening(operation)

    def stop(self, raw_id: str, operation: Operation) -> bool:
        """Listen no more, and announce it. Return whether we listened."""
        heard = self._listening.pop(raw_id, None)
        data = {"resultInformation": events.COMPLETED}
        self._announce("ContinuousDtmfRecognitionStopped", data, operation)
        return heard is not None

    def press(self, tones: str, raw_id: str) -> bool:
        """Tell of keys somebody pressed. Return whether we listen to them."""
        listening = self._listening.get(raw_id)
        if listening is None:
            return False
        for tone in tones:
            listening.heard += 1
            self._tell(tone, listening)
        return True

    def _tell(self, tone: str, listening: Listening) -> None:
        if self._fault == "fails":
            data: events.Event = {"resultInformation": events.FAILED}
            kind = "ContinuousDtmfRecognitionToneFailed"
        else:
            data = {
                "sequenceId": listening.heard,
                "tone": spelled(tone),
                "resultInformation": events.COMPLETED,
            }
            kind = "ContinuousDtmfRecognitionToneReceived"
        self._announce(kind, data, listening.operation)
