"""The REST operations on whole calls: to place, take, see and end them."""

from typing import Any

from emulator import events
from emulator.calls import OVER, Call, CallState, Ending
from emulator.identities import identifier, new_user, raw_id_of
from emulator.line import Line
from emulator.restbodies import (
    Reply,
    Request,
    RestError,
    answer_of,
    cognitive_endpoint_of,
    media_of,
    transcription_of,
)
from emulator.switchboard import Setup, Switchboard


class CallOperations:
    """Create, connect, answer, reject, redirect, get, leave and terminate."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._resource = switchboard.settings.resource_id

    def create(self, request: Request) -> Reply:
        """Place a call to one or several targets."""
        targets = [raw_id_of(item) for item in request.required("targets")]
        known = [raw_id for raw_id in targets if raw_id]
        if len(known) != len(targets):
            raise RestError(400, "InvalidRequest", "The field targets is not valid.")
        for target in known:
            request.check_caller_id(target)
        number = (request.body.get("sourceCallerIdNumber") or {}).get("value")
        caller = f"4:{number}" if number else new_user(self._resource)
        call = self._switchboard.create(caller, known, _setup(request))
        return Reply(201, self._properties(call), call=call)

    def connect(self, request: Request) -> Reply:
        """Join a call that is there, or a room or group call."""
        locator = request.required("callLocator")
        setup = _setup(request)
        match locator:
            case {"kind": "serverCallLocator", "serverCallId": str(name)}:
                found = self._switchboard.by_server_call(name)
                if found is None:
                    raise RestError(404, "8522", "Call not found.")
                call = self._join(_roster(found), setup, server_call_id=name)
            case {"kind": "groupCallLocator", "groupCallId": str(name)} | {
                "kind": "roomCallLocator",
                "roomId": str(name),
            }:
                # Nobody is in a room that is not there, so that nobody answers.
                there = self._switchboard.room(name)
                users = [new_user(self._resource), new_user(self._resource)]
                call = self._join(users if there else [], setup)
            case _:
                text = "The field callLocator is not valid."
                raise RestError(400, "InvalidRequest", text)
        return Reply(200, self._properties(call), call=call)

    def _join(self, roster: list[str], setup: Setup, server_call_id: str = "") -> Call:
        caller = new_user(self._resource)
        return self._switchboard.create(
            caller, roster, setup, joined=True, server_call_id=server_call_id
        )

    def answer(self, request: Request) -> Reply:
        """Answer a call that rings."""
        context = request.required("incomingCallContext")
        setup = _setup(request)
        call = self._switchboard.by_context(context)
        if call is None:
            raise RestError(400, "8523", "The incomingCallContext is not valid.")
        if call.state is not CallState.RINGING:
            raise RestError(409, "8523", "The call does not ring any more.")
        self._switchboard.answer(call, setup)
        return Reply(200, self._properties(call))

    def reject(self, request: Request) -> Reply:
        """Reject a call that rings."""
        reason = request.body.get("callRejectReason") or "none"
        if reason not in ("none", "busy", "forbidden"):
            text = "The field callRejectReason is not valid."
            raise RestError(400, "InvalidRequest", text)
        return self._dismiss(request, CallState.REJECTED, reason=reason)

    def redirect(self, request: Request) -> Reply:
        """Send a call that rings to somebody else."""
        target = request.raw_id("target")
        return self._dismiss(request, CallState.REDIRECTED, target=target)

    def _dismiss(self, request: Request, state: CallState, **details: str) -> Reply:
        call = self._switchboard.by_context(request.required("incomingCallContext"))
        # Succeeds after a redirect or a missed call too: a known issue of the service.
        done = call is not None and self._switchboard.dismiss(call, state, **details)
        return Reply(204, idle=not done)

    def get(self, request: Request) -> Reply:
        """Return a call's properties."""
        return Reply(200, self._properties(living(request)))

    def leave(self, request: Request) -> Reply:
        """End our leg of a call; the others stay in it."""
        return self._end(request, Ending.LEFT)

    def terminate(self, request: Request) -> Reply:
        """End a call for everyone."""
        return self._end(request, Ending.TERMINATED)

    def _end(self, request: Request, ending: Ending) -> Reply:
        call = living(request)
        self._switchboard.end(call, events.ENDED_BY_API, ending)
        return Reply(204)

    def _properties(self, call: Call) -> dict[str, Any]:
        user = f"8:acs:{self._resource}_emulated-app"
        body: dict[str, Any] = {
            "callConnectionId": call.connection_id,
            "serverCallId": call.server_call_id,
            "correlationId": call.correlation_id,
            "callConnectionState": call.state.value,
            "callbackUri": call.operation.callback_url if call.operation else None,
            "sourceDisplayName": call.plan.display_name,
            **_ends(call, user),
        }
        if call.media_options is not None:
            active = call.media is not None and call.media.state == "active"
            body["mediaStreamingSubscription"] = {
                "id": call.media.subscription_id if call.media else call.call_id,
                "state": "active" if active else "inactive",
                "subscribedContentTypes": ["audio"],
            }
        if (subscription := line_of(call).transcription.subscription()) is not None:
            body["transcriptionSubscription"] = subscription
        return body


def _ends(call: Call, user: str) -> dict[str, Any]:
    """Return who called whom, as the properties say it."""
    plan = call.plan
    if not call.outgoing:
        return {
            "targets": [identifier(plan.recipient)],
            "source": identifier(plan.caller),
            "answeredBy": {"id": user},
        }
    body: dict[str, Any] = {
        "targets": [identifier(each) for each in plan.participants],
        "source": identifier(user),
    }
    if plan.caller.startswith("4:"):
        number = plan.caller.removeprefix("4:")
        body["sourceCallerIdNumber"] = {"value": number}
    return body


def _roster(call: Call) -> list[str]:
    return list(line_of(call).people.roster)


def _setup(request: Request) -> Setup:
    return Setup(
        operation=answer_of(request),
        media=media_of(request),
        transcription=transcription_of(request),
        cognitive_endpoint=cognitive_endpoint_of(request),
        version=request.api_version,
    )


def living(request: Request) -> Call:
    """Return the call of a request if it is not over. Raises `RestError`."""
    call = request.the_call()
    if call.state in OVER:
        raise RestError(404, "8522", "Call not found.")
    return call


def established(request: Request) -> Call:
    """Return the call of a request if it is connected. Raises `RestError`."""
    call = living(request)
    if call.state is not CallState.CONNECTED:
        raise RestError(400, "8501", "The call is not in the state Established.")
    return call


def line_of(call: Call) -> Line:
    """Return the line of a call that was answered."""
    if call.line is None:
        raise AssertionError("a call with a connection id was answered")
    return call.line
