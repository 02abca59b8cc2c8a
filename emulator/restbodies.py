"""What REST requests carry and what they are answered with."""

import json
from dataclasses import dataclass, field
from typing import Any

from emulator.calls import Call, MediaOptions, Operation, TranscriptionOptions
from emulator.identities import raw_id_of

RATES = {"pcm16KMono": 16_000, "pcm24KMono": 24_000}


class RestError(Exception):
    """A request that is refused, with the status and the words of the answer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """A status and a JSON body, or none.

    `call` is the one it is about if the request did not name it; `idle` says that the
    request was accepted and changes nothing.
    """

    status: int
    body: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict)
    call: Call | None = None
    idle: bool = False


@dataclass(frozen=True, slots=True)
class Request:
    """A verified request, read. `argument` is what the path names, decoded."""

    call: Call | None
    argument: str
    body: dict[str, Any]
    api_version: str

    def required(self, name: str) -> Any:
        """Return a member of the body. Raises `RestError` if it is missing."""
        if not self.body.get(name):
            raise RestError(400, "InvalidRequest", f"The field {name} is required.")
        return self.body[name]

    def raw_id(self, name: str) -> str:
        """Return the raw id in a member of the body. Raises `RestError`."""
        raw_id = raw_id_of(self.required(name))
        if raw_id is None:
            raise RestError(400, "InvalidRequest", f"The field {name} is not valid.")
        return raw_id

    def check_caller_id(self, raw_id: str) -> None:
        """Check that a phone number is called from one. Raises `RestError`."""
        source = self.body.get("sourceCallerIdNumber")
        if raw_id.startswith("4:") and not (
            isinstance(source, dict) and source.get("value")
        ):
            text = "The field sourceCallerIdNumber is required to call a phone number."
            raise RestError(400, "InvalidRequest", text)

    def echo(self) -> dict[str, Any]:
        """Return the body of an answer that repeats the operation's context."""
        context = self.body.get("operationContext")
        return {} if context is None else {"operationContext": context}

    def the_call(self) -> Call:
        """Return the call that the path names."""
        if self.call is None:
            raise AssertionError("this route is only reached with a call")
        return self.call


def read_json(body: bytes) -> dict[str, Any]:
    """Return a request's JSON object; no body is an empty one. Raises `RestError`."""
    if not body:
        return {}
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError) as exc:
        raise RestError(400, "InvalidRequest", "The body is not JSON.") from exc
    if not isinstance(parsed, dict):
        raise RestError(400, "InvalidRequest", "The body is not a JSON object.")
    return parsed


def operation_of(request: Request, call: Call) -> Operation:
    """Return where the outcome of a request about a call is posted."""
    url = request.body.get("operationCallbackUri")
    if url is None and call.operation is not None:
        url = call.operation.callback_url
    return Operation(str(url), request.body.get("operationContext"))


def answer_of(request: Request) -> Operation:
    """Return where the callbacks of a new call are posted. Raises `RestError`."""
    url = str(request.required("callbackUri"))
    if not url.startswith(("http://", "https://")):
        raise RestError(400, "8528", "The field CallbackUri is invalid.")
    return Operation(url, request.body.get("operationContext"))


def transcription_of(request: Request) -> TranscriptionOptions | None:
    """Return the transcription options of a new call. Raises `RestError`."""
    options = request.body.get("transcriptionOptions")
    match options:
        case None:
            return None
        case {
            "transportType": "websocket",
            "locale": str(locale),
            "transportUrl": str(url),
        } if locale and url.startswith(("ws://", "wss://")):
            return TranscriptionOptions(
                transport_url=url,
                locale=locale,
                start=bool(options.get("startTranscription")),
                intermediate=bool(options.get("enableIntermediateResults")),
            )
        case _:
            text = "The field transcriptionOptions is invalid."
            raise RestError(400, "InvalidRequest", text)


def cognitive_endpoint_of(request: Request) -> str:
    """Return the Azure AI resource named for a new call, "" if none is.

    It is not asked whether it exists. Raises `RestError`.
    """
    options = request.body.get("callIntelligenceOptions")
    if isinstance(options, dict):
        options = options.get("cognitiveServicesEndpoint")
    match options:
        case None:
            return ""
        case str(url) if url.startswith("https://"):
            return url
        case _:
            text = "The field callIntelligenceOptions is invalid."
            raise RestError(400, "InvalidRequest", text)


def media_of(request: Request) -> MediaOptions | None:
    """Return the media options of a new call. Raises `RestError`."""
    options = request.body.get("mediaStreamingOptions")
    return None if options is None else _media_options(options)


def _media_options(options: Any) -> MediaOptions:
    def refuse(name: str) -> RestError:
        text = f"The field mediaStreamingOptions.{name} is invalid."
        return RestError(400, "InvalidRequest", text)

    if not isinstance(options, dict):
        raise RestError(400, "InvalidRequest", "mediaStreamingOptions is not an object")
    if options.get("transportType") != "websocket":
        raise refuse("transportType")
    channels = options.get("audioChannelType")
    if channels not in ("mixed", "unmixed"):
        raise refuse("audioChannelType")
    rate = RATES.get(options.get("audioFormat") or "pcm16KMono")
    if rate is None:
        raise refuse("audioFormat")
    url = options.get("transportUrl")
    if not isinstance(url, str) or not url.startswith(("ws://", "wss://")):
        raise refuse("transportUrl")
    return MediaOptions(
        transport_url=url,
        unmixed=channels == "unmixed",
        rate=rate,
        start=bool(options.get("startMediaStreaming")),
        bidirectional=bool(options.get("enableBidirectional")),
        dtmf=bool(options.get("enableDtmfTones")),
    )
