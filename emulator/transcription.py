"""Transcription of one call: its state and its callbacks, without a socket."""

import uuid
from collections.abc import Callable
from typing import Any

from emulator import events
from emulator.calls import Operation, TranscriptionOptions

Announce = Callable[[str, events.Event, Operation], None]
"""Posts a callback: its type, its data, and where it goes."""


class Transcription:
    """One call's transcription subscription: inactive or active, in one language.

    Without `options` it was not set up with the call, and every order fails.
    """

    def __init__(
        self, options: TranscriptionOptions | None, *, fault: str, announce: Announce
    ) -> None:
        self._options = options
        self._fault = fault
        self._announce = announce
        self._id = str(uuid.uuid4())
        self._locale = options.locale if options else ""
        self._active = False

    def report(self) -> dict[str, Any] | None:
        """Return state and language; None if it was not set up with the call."""
        if self._options is None:
            return None
        return {"state": self._state(), "locale": self._locale}

    def subscription(self) -> dict[str, Any] | None:
        """Return the `transcriptionSubscription` of the call's properties."""
        if self._options is None:
            return None
        return {
            "id": self._id,
            "state": self._state(),
            "subscribedResultTypes": ["final"],
            "locale": self._locale,
        }

    def _state(self) -> str:
        return "active" if self._active else "inactive"

    def begin(self, operation: Operation) -> None:
        """Start if that was asked for when the call was set up."""
        if self._options is not None and self._options.start:
            self.start(operation, None)

    def start(self, operation: Operation, locale: str | None) -> bool:
        """Start; the outcome is announced. Return whether anything was done."""
        if self._fault == "never":
            return False
        if self._options is None:
            self._fail(events.NO_URL, "streamUrlMissing", operation)
        elif self._fault == "8581":
            details = "streamConnectionUnsuccessful"
            self._fail(events.STREAM_URL_INVALID, details, operation)
        else:
            self._active, self._locale = True, locale or self._locale
            self._say("Started", "subscriptionStarted", operation)
        return True

    def stop(self, operation: Operation) -> None:
        """Stop; the outcome is announced."""
        if self._options is None:
            self._fail(events.NO_URL, "streamUrlMissing", operation)
            return
        self._active = False
        self._say("Stopped", "subscriptionStopped", operation)

    def update(self, operation: Operation, locale: str) -> None:
        """Go on in another language; the outcome is announced."""
        if self._options is None:
            self._fail(events.NO_URL, "streamUrlMissing", operation)
        elif not self._active:
            self._fail(events.NOT_STARTED, "badRequest", operation)
        else:
            self._locale = locale
            self._say("Updated", "transcriptionLocaleUpdated", operation)

    def end(self) -> None:
        """End with the call."""
        self._active = False

    def _say(self, what: str, details: str, operation: Operation) -> None:
        status = f"transcription{what}"
        data = events.transcription(status, details, events.COMPLETED)
        self._announce(f"Transcription{what}", data, operation)

    def _fail(self, result: events.Event, details: str, operation: Operation) -> None:
        data = events.transcription("transcriptionFailed", details, result)
        self._announce("TranscriptionFailed", data, operation)
