"""ACS's codes in words: one sentence on what happened, one on what to do.

The numbers are those that recorded traffic, documentation and field reports show; no
full list was ever published. An unknown code is shown as it came.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Explanation:
    """What happened and what to do about it; `advice` is empty when nothing is."""

    sentence: str
    advice: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} {self.advice}".strip()


CHECK_MEDIA_URL = (
    "Check that ACSSTREAM_MEDIA_URL is a public wss:// address with a trusted"
    " certificate, and that ingest runs."
)
START_AGAIN = "Start streaming again if the call goes on."

SUBCODES: dict[int, Explanation] = {
    8581: Explanation(
        "Azure could not reach our media URL: certificate, port or path.",
        CHECK_MEDIA_URL,
    ),
    8603: Explanation(
        "Azure could not open a WebSocket to our media URL.", CHECK_MEDIA_URL
    ),
    8578: Explanation("The WebSocket of the stream was not connected.", START_AGAIN),
    8579: Explanation("The stream was cancelled.", START_AGAIN),
    8580: Explanation("The streaming service at Azure was shut down.", START_AGAIN),
    8520: Explanation(
        "Azure does not support this operation for this call.",
        "Check the options the call was answered with.",
    ),
    8522: Explanation(
        "The call was answered without a media URL, so it cannot be streamed.",
        "Check ACSSTREAM_MEDIA_URL and answer the next call with it.",
    ),
    8501: Explanation(
        "The call was not established when the order came.",
        "Try again once the call is connected.",
    ),
    8528: Explanation("The call had already ended.", ""),
    8565: Explanation(
        "Azure could not use the Cognitive Services resource of the call.",
        "Check that resource's address and permissions.",
    ),
}
CALL_ENDS: dict[int, Explanation] = {
    0: Explanation("The call has ended."),
    7000: Explanation("The conversation has ended."),
}
DETAILS: dict[str, Explanation] = {
    "streamConnectionUnsuccessful": Explanation(
        "Azure could not open a WebSocket to our media URL.", CHECK_MEDIA_URL
    ),
    "initialWebSocketConnectionFailed": Explanation(
        "Azure's first attempt to open the media WebSocket failed.", CHECK_MEDIA_URL
    ),
    "streamConnectionInterrupted": Explanation(
        "The media WebSocket was interrupted.",
        "Azure usually dials again. Otherwise, start streaming again.",
    ),
    "streamConnectionReestablished": Explanation(
        "The media WebSocket was interrupted and is open again."
    ),
    "streamUrlMissing": Explanation(
        "The call was answered without a media URL, so it cannot be streamed.",
        "Check ACSSTREAM_MEDIA_URL and answer the next call with it.",
    ),
    "serviceShutdown": Explanation(
        "The streaming service at Azure was shut down.", START_AGAIN
    ),
    "serviceTimeout": Explanation("Azure's streaming service timed out.", START_AGAIN),
    "authenticationFailure": Explanation(
        "Azure was not allowed to stream.",
        "Check the ACS access key and what ingest logged about tokens.",
    ),
    "forbidden": Explanation(
        "Azure was not allowed to stream.", "Check the rights of the ACS resource."
    ),
    "badRequest": Explanation(
        "Azure did not accept the streaming options.", "Check the call's profile."
    ),
    "tooManyRequests": Explanation(
        "Azure was asked too often.", "Wait a moment, then try again."
    ),
    "speechServicesConnectionError": Explanation(
        "Azure could not reach its speech service.", "Try again."
    ),
    "subscriptionStarted": Explanation("Streaming started."),
    "subscriptionStopped": Explanation("Streaming stopped."),
}
REFUSALS: dict[int, Explanation] = {
    400: Explanation("ACS did not accept the order."),
    401: Explanation(
        "ACS does not accept our access key.",
        "Check ACSSTREAM_ACS_ACCESS_KEY and this machine's clock.",
    ),
    403: Explanation(
        "ACS forbids this order.", "Check the ACS resource and who owns the call."
    ),
    404: Explanation("ACS does not know this call, or no longer."),
    409: Explanation("ACS says the call is not in a state for this order."),
    429: Explanation("ACS gets too many requests.", "Wait a moment, then try again."),
}


def explain_event(
    *, code: int | None, subcode: int | None, detail: str = "", message: str = ""
) -> Explanation:
    """Explain the result that a callback carries."""
    if code == 200 and subcode in CALL_ENDS and not detail:
        return CALL_ENDS[subcode]
    if subcode in SUBCODES:
        return SUBCODES[subcode]
    if detail in DETAILS:
        return DETAILS[detail]
    raw = " ".join(filter(None, [_numbers(code, subcode), detail, message]))
    return Explanation(f"ACS says: {raw}" if raw else "ACS gave no reason.")


def explain_refusal(
    *, code: int | None, subcode: int | None, message: str
) -> Explanation:
    """Explain why ACS did not take an order. `message` is what was said or seen."""
    if subcode in SUBCODES:
        return SUBCODES[subcode]
    known = REFUSALS.get(code or 0)
    if known is None:
        return Explanation(message)
    return Explanation(f"{known.sentence} ({message})", known.advice)


def _numbers(code: int | None, subcode: int | None) -> str:
    given = [str(number) for number in (code, subcode) if number is not None]
    return "/".join(given)
