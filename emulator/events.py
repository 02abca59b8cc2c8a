"""The JSON of callbacks (CloudEvents) and of Event Grid, and nothing else."""

import json
import random
import uuid
from datetime import datetime
from typing import Any

from emulator.identities import identifier

Event = dict[str, Any]

PREFIX = "Microsoft.Communication."
OK = {"code": 200, "subCode": 0, "message": ""}
COMPLETED = {"code": 200, "subCode": 0, "message": "Action completed successfully."}
ENDED_BY_CALLER = {
    "code": 200,
    "subCode": 7000,
    "message": "The conversation has ended. DiagCode: 0#7000.@",
}
ENDED_BY_API = {
    "code": 200,
    "subCode": 7000,
    "message": (
        "Call was ended by Azure Communication Service Call Automation API or a "
        "server bot. DiagCode: 0#7000.@"
    ),
}
NOT_OPERATIONAL = {
    "code": 400,
    "subCode": 8581,
    "message": (
        "Action failed, Transport url is not valid or web socket server is not "
        "operational."
    ),
}
NOT_ESTABLISHED = {
    "code": 500,
    "subCode": 8603,
    "message": "Action failed, not able to establish websocket connection.",
}
FAILED = {
    "code": 500,
    "subCode": 9999,
    "message": "Unknown internal server error.",
}
NO_ANSWER = {
    "code": 487,
    "subCode": 10004,
    "message": (
        "Call was canceled on timeout, no callee endpoint accepted the call. "
        "DiagCode: 487#10004.@"
    ),
}
NO_SUCH_CALL = {
    "code": 404,
    "subCode": 8522,
    "message": "Action failed, the call to connect to was not found.",
}
NO_SUCH_PARTICIPANT = {
    "code": 404,
    "subCode": 8523,
    "message": "Action failed, the participant is not in the call.",
}
NO_SUCH_INVITATION = {
    "code": 404,
    "subCode": 8523,
    "message": "Action failed, there is no such invitation.",
}
NOT_STARTED = {
    "code": 400,
    "subCode": 8501,
    "message": "Action failed, transcription was not started.",
}
STREAM_URL_INVALID = {
    "code": 400,
    "subCode": 8581,
    "message": "Action failed, StreamUrl isn't valid.",
}
NO_URL = {
    "code": 405,
    "subCode": 8522,
    "message": "Action failed, streaming url was not set during call setup.",
}
NO_COGNITIVE = {
    "code": 405,
    "subCode": 8522,
    "message": (
        "Request not allowed when Cognitive Service Configuration not set during call "
        "setup."
    ),
}

_random = random.SystemRandom()


def iso(moment: datetime, digits: int = 7) -> str:
    """Return a date as the service writes it: a fraction without trailing zeros."""
    fraction = f"{moment.microsecond:06d}{_random.randrange(10)}"[:digits].rstrip("0")
    whole = moment.strftime("%Y-%m-%dT%H:%M:%S")
    return f"{whole}.{fraction}" if fraction else whole


def cloud_event(
    kind: str,
    data: Event,
    *,
    ids: Event,
    at: datetime,
    version: str,
    operation_context: str | None = None,
    digits: int = 7,
) -> Event:
    """Return one callback event. `ids` holds the three ids of the call."""
    source = f"calling/callConnections/{ids['callConnectionId']}"
    body = {"version": version, **data, **ids, "publicEventType": PREFIX + kind}
    if operation_context is not None:
        body["operationContext"] = operation_context
    return {
        "id": str(uuid.uuid4()),
        "source": source,
        "type": PREFIX + kind,
        "data": body,
        "time": iso(at, digits) + "+00:00",
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "subject": source,
    }


def body_of(events: list[Event]) -> bytes:
    """Return events as a request body, a plus escaped as the service's writer does."""
    text = json.dumps(events, separators=(",", ":"))
    return text.replace("+", "\\u002B").encode()


def participants(listed: list[Event], sequence: int) -> Event:
    """Return the data of ParticipantsUpdated."""
    return {
        "participants": listed,
        "sequenceNumber": sequence,
        "resultInformation": OK,
    }


def participant(raw_id: str, *, muted: bool, on_hold: bool) -> Event:
    """Return one participant as callbacks and responses list it."""
    return {
        "identifier": identifier(raw_id),
        "isMuted": muted,
        "isOnHold": on_hold,
    }


def transcription(status: str, details: str, result: Event) -> Event:
    """Return the data of TranscriptionStarted, -Stopped, -Updated and -Failed."""
    return {
        "transcriptionUpdate": {
            "transcriptionStatus": status,
            "transcriptionStatusDetails": details,
        },
        "resultInformation": result,
    }


def media_streaming(status: str, details: str, result: Event) -> Event:
    """Return the data of MediaStreamingStarted, -Stopped and -Failed."""
    return {
        "mediaStreamingUpdate": {
            "contentType": "Audio",
            "mediaStreamingStatus": status,
            "mediaStreamingStatusDetails": details,
        },
        "resultInformation": result,
    }


def subscription_validation(topic: str, code: str, at: datetime) -> Event:
    """Return the Event Grid event that a new subscription's end point must answer."""
    return {
        "id": str(uuid.uuid4()),
        "topic": topic,
        "subject": "",
        "data": {"validationCode": code},
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": iso(at) + "Z",
        "metadataVersion": "1",
        "dataVersion": "1",
    }


def incoming_call(
    *, topic: str, caller: str, recipient: str, data: Event, at: datetime
) -> Event:
    """Return the Event Grid event of a ringing call.

    `data` adds serverCallId, correlationId, incomingCallContext and callerDisplayName.
    """
    return {
        "id": str(uuid.uuid4()),
        "topic": topic,
        "subject": f"/caller/{caller}/recipient/{recipient}",
        "data": {"to": identifier(recipient), "from": identifier(caller), **data},
        "eventType": PREFIX + "IncomingCall",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": iso(at) + "Z",
    }
