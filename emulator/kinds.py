"""Options that say something of each type of callback, as text."""

KINDS = frozenset(
    {
        "AddParticipantFailed",
        "AddParticipantSucceeded",
        "AnswerFailed",
        "CallConnected",
        "CallDisconnected",
        "CallTransferAccepted",
        "CallTransferFailed",
        "CancelAddParticipantFailed",
        "CancelAddParticipantSucceeded",
        "ConnectFailed",
        "ContinuousDtmfRecognitionStopped",
        "ContinuousDtmfRecognitionToneFailed",
        "ContinuousDtmfRecognitionToneReceived",
        "CreateCallFailed",
        "MediaStreamingFailed",
        "MediaStreamingStarted",
        "MediaStreamingStopped",
        "ParticipantsUpdated",
        "RemoveParticipantFailed",
        "RemoveParticipantSucceeded",
        "TranscriptionFailed",
        "TranscriptionStarted",
        "TranscriptionStopped",
        "TranscriptionUpdated",
    }
)
"""Every type of callback the emulator posts, without the common prefix."""
ANY = "*"


def per_kind(text: str, default: float) -> dict[str, float]:
    """Return a number for each type of callback that a text names.

    `TYPE[:NUMBER]`, separated by commas; `*` is every type. Raises ValueError.
    """
    numbers = {}
    for each in filter(None, (part.strip() for part in text.split(","))):
        kind, _, number = each.partition(":")
        if kind not in KINDS and kind != ANY:
            raise ValueError(f"there is no callback {kind}")
        numbers[kind] = float(number) if number else default
        if not numbers[kind] > 0:
            raise ValueError(f"{each}: the number must be more than 0")
    return numbers


class PerKind:
    """The numbers of one option, looked up for the events of one request."""

    def __init__(self, text: str, default: float = 1) -> None:
        self._numbers = per_kind(text, default)

    def of(self, kinds: list[str]) -> float:
        """Return the largest number of these types, or 0."""
        other = self._numbers.get(ANY, 0)
        return max((self._numbers.get(kind, other) for kind in kinds), default=0)

    def spend(self, kinds: list[str]) -> bool:
        """Use up one of each type's number; return whether there was one left."""
        found = False
        for kind in kinds:
            name = kind if kind in self._numbers else ANY
            if self._numbers.get(name, 0) > 0:
                self._numbers[name] -= 1
                found = True
        return found
