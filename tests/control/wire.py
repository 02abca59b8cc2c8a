"""Events as ACS and Event Grid put them on the wire, and the ways to post them.

Shapes are those of recorded traffic: envelopes, member names, seven-digit fractions.
"""

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

from django.conf import settings
from django.test import Client

from calls.doors.capability import call_secret
from calls.models import Call, CallState, StreamingProfile

CONNECTION = "06004980-19f4-465a-b630-76c371713dff"
START = datetime(2025, 5, 6, 16, 31, 49, 432535, tzinfo=UTC)
CALLER = "4:+12065550100"
AGENT = "8:acs:19ae37ff-1a44-4e19-aade-198eedddbdf2_00000026"
OK = {"code": 200, "subCode": 0, "message": ""}


def wire_time(seconds: float) -> str:
    """Return a time as ACS writes it: seven digits and an offset."""
    return (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.%f6+00:00")


def cloud_event(kind: str, seconds: float = 0, **data: Any) -> dict[str, Any]:
    """Return one callback that happened so many seconds after `START`."""
    ids = {
        "version": "2025-05-15",
        "callConnectionId": CONNECTION,
        "serverCallId": "aHR0cHM6Ly9zZXJ2ZXI=",
        "correlationId": "b2cc74bf-be72-4a6f-88da-f2107fc6780f",
        "publicEventType": f"Microsoft.Communication.{kind}",
        "resultInformation": OK,
    }
    return {
        "id": str(uuid4()),
        "source": f"calling/callConnections/{CONNECTION}",
        "type": f"Microsoft.Communication.{kind}",
        "data": ids | data,
        "time": wire_time(seconds),
        "specversion": "1.0",
        "datacontenttype": "application/json",
        "subject": f"calling/callConnections/{CONNECTION}",
    }


def connected(seconds: float = 0, **data: Any) -> dict[str, Any]:
    return cloud_event("CallConnected", seconds, **data)


def disconnected(seconds: float = 60, **data: Any) -> dict[str, Any]:
    message = "The conversation has ended. DiagCode: 0#7000.@"
    result = {"code": 200, "subCode": 7000, "message": message}
    return cloud_event(
        "CallDisconnected", seconds, **{"resultInformation": result} | data
    )


def participants(
    number: int, *raw_ids: str, seconds: float = 1, **flags: bool
) -> dict[str, Any]:
    state = {"isMuted": False, "isOnHold": False} | flags
    listed = [
        {"identifier": {"rawId": raw_id, "kind": "unknown"}} | state
        for raw_id in raw_ids
    ]
    return cloud_event(
        "ParticipantsUpdated", seconds, participants=listed, sequenceNumber=number
    )


def streaming(
    what: str, seconds: float, details: str | None = None, **data: Any
) -> dict[str, Any]:
    """Return MediaStreaming<what>: Started, Stopped or Failed."""
    update = {
        "contentType": "Audio",
        "mediaStreamingStatus": f"mediaStreaming{what}",
        "mediaStreamingStatusDetails": details or f"subscription{what}",
    }
    return cloud_event(
        f"MediaStreaming{what}", seconds, mediaStreamingUpdate=update, **data
    )


def incoming_call(**data: Any) -> dict[str, Any]:
    number = {"kind": "phoneNumber", "phoneNumber": {"value": "+12065550199"}}
    return {
        "id": str(uuid4()),
        "topic": "/subscriptions/s/resourcegroups/r/providers/microsoft.communication",
        "subject": f"/caller/{CALLER}/recipient/4:+12065550199",
        "data": {
            "to": number | {"rawId": "4:+12065550199"},
            "from": number | {"rawId": CALLER},
            "serverCallId": "aHR0cHM6Ly9zZXJ2ZXI=",
            "callerDisplayName": "",
            "incomingCallContext": "eyJhbGciOiJub25lIn0." + "c" * 8000,
            "correlationId": "b2cc74bf-be72-4a6f-88da-f2107fc6780f",
        }
        | data,
        "eventType": "Microsoft.Communication.IncomingCall",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": "2022-08-25T19:27:24.2415391Z",
    }


def post_callback(call: Call, *events: Any, **headers: str) -> Any:
    return post_body(f"/webhooks/calls/{call_secret(call.id)}", list(events), **headers)


def eventgrid_query() -> str:
    """Return the query that proves Event Grid."""
    return f"?{urlencode({'secret': settings.EVENTGRID_SECRET})}"


def post_eventgrid(*events: Any, query: str | None = None) -> Any:
    shown = eventgrid_query() if query is None else query
    return post_body(f"/webhooks/eventgrid{shown}", list(events))


def post_body(path: str, body: Any, **headers: str) -> Any:
    """Post JSON, or bytes as they are; return the test client's response."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    posted: Any = Client().post(
        path, data=raw, content_type="application/json", headers=headers
    )
    return posted


def call_made(**fields: Any) -> Call:
    """Return a call that is up and answered as the default profile says."""
    defaults = {
        "connection_id": CONNECTION,
        "state": CallState.CONNECTED,
        "from_raw_id": CALLER,
        "profile": StreamingProfile.default(),
    }
    return Call.objects.create(**defaults | fields)
