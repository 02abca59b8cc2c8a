"""The Call Automation REST API, as far as an app that streams media needs it."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from emulator import auth, events
from emulator.calls import OVER, Call, CallState
from emulator.identities import identifier, new_user, raw_id_of
from emulator.line import Line
from emulator.restbodies import (
    Reply,
    Request,
    RestError,
    answer_of,
    media_of,
    operation_of,
    read_json,
)
from emulator.restfaults import RestFaults
from emulator.switchboard import Switchboard
from emulator.tokens import discovery

REMEMBERED = 1000
"""How many repeatability ids are remembered."""


class RestApi:
    """Answers everything below /calling."""

    def __init__(self, switchboard: Switchboard, faults: RestFaults) -> None:
        self._switchboard = switchboard
        self._faults = faults
        self._key = auth.decode_key(switchboard.settings.access_key)
        self._first_replies: dict[str, Reply] = {}
        self._routes = [
            (method, re.compile(pattern), name, handler)
            for method, pattern, name, handler in self._table()
        ]

    def _table(self) -> list[tuple[str, str, str, Callable[[Request], Reply]]]:
        calls = r"/calling/callConnections"
        one = calls + r"/(?P<call>[^/:]+)"
        return [
            ("POST", calls, "create", self._create),
            ("POST", calls + ":connect", "connect", self._connect),
            ("POST", calls + ":answer", "answer", self._answer),
            ("POST", calls + ":reject", "reject", self._reject),
            ("POST", calls + ":redirect", "redirect", self._redirect),
            ("GET", one, "get", self._get),
            ("DELETE", one, "hangUp", self._hang_up),
            ("POST", one + ":terminate", "terminate", self._hang_up),
            ("GET", one + "/participants", "participants", self._participants),
            (
                "GET",
                one + r"/participants/(?P<argument>[^/]+)",
                "participant",
                self._participant,
            ),
            ("POST", one + ":startMediaStreaming", "startMediaStreaming", self._start),
            ("POST", one + ":stopMediaStreaming", "stopMediaStreaming", self._stop),
        ]

    # Requests in, answers out

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, with an error body if need be."""
        try:
            reply = await self._verified(request)
        except RestError as exc:
            reply = _refusal(exc)
        text = None if reply.body is None else json.dumps(reply.body)
        return web.Response(
            text=text,
            status=reply.status,
            headers=reply.headers,
            content_type="application/json",
        )

    async def _verified(self, request: web.Request) -> Reply:
        body = await request.read()
        signed = auth.SignedRequest(
            request.method, request.raw_path, request.headers, body
        )
        skew = self._switchboard.settings.clock_skew
        try:
            auth.verify(signed, self._key, now=datetime.now(UTC), skew=skew)
        except auth.AuthError as exc:
            raise RestError(401, "Unauthorized", str(exc)) from exc
        return self._once(request, body)

    def _once(self, request: web.Request, body: bytes) -> Reply:
        """Run a request, or return what its repeatability id was answered before.

        Only successes are remembered: a request that failed is meant to be tried again.
        """
        repeatability = request.headers.get("Repeatability-Request-ID")
        if repeatability is None:
            return self._dispatch(request, body)
        first = self._first_replies.get(repeatability)
        if first is not None:
            return first
        reply = self._dispatch(request, body)
        if reply.status < 400:
            self._first_replies[repeatability] = reply
            if len(self._first_replies) > REMEMBERED:
                del self._first_replies[next(iter(self._first_replies))]
        return reply

    def _dispatch(self, request: web.Request, body: bytes) -> Reply:
        path = request.raw_path.partition("?")[0]
        name, handler, parts = self._route(request.method, path)
        if (fault := self._faults.take(name)) is not None:
            headers = (
                {}
                if fault.retry_after is None
                else {"Retry-After": str(fault.retry_after)}
            )
            error = RestError(fault.status, "Injected", "This failure was asked for.")
            return Reply(fault.status, _refusal(error).body, headers)
        call = None
        if "call" in parts:
            call = self._switchboard.by_connection(unquote(parts["call"]))
            if call is None:
                raise RestError(404, "8522", "Call not found.")
        return handler(
            Request(
                call,
                unquote(parts.get("argument", "")),
                read_json(body),
                request.query.get("api-version", ""),
            )
        )

    def _route(
        self, method: str, path: str
    ) -> tuple[str, Callable[[Request], Reply], dict[str, str]]:
        for known_method, pattern, name, handler in self._routes:
            if method == known_method and (found := pattern.fullmatch(path)):
                return name, handler, found.groupdict()
        message = f"The emulator does not have {method} {path}."
        raise RestError(501, "NotImplemented", message)

    # Operations

    def _create(self, request: Request) -> Reply:
        targets = [raw_id_of(item) for item in request.required("targets")]
        known = [raw_id for raw_id in targets if raw_id]
        if not known:
            raise RestError(400, "InvalidRequest", "The field targets is not valid.")
        number = (request.body.get("sourceCallerIdNumber") or {}).get("value")
        resource = self._switchboard.settings.resource_id
        caller = f"4:{number}" if number else new_user(resource)
        call = self._switchboard.create(
            caller, known, answer_of(request), media_of(request), request.api_version
        )
        return Reply(201, self._properties(call))

    def _connect(self, request: Request) -> Reply:
        locator = request.required("callLocator")
        found = [
            call
            for call in self._switchboard.calls.values()
            if call.server_call_id == locator.get("serverCallId")
        ]
        if locator.get("kind") == "serverCallLocator" and not found:
            raise RestError(404, "8522", "Call not found.")
        resource = self._switchboard.settings.resource_id
        targets = [new_user(resource), new_user(resource)]
        if found:
            targets = list(found[0].plan.participants)
        call = self._switchboard.create(
            new_user(resource),
            targets,
            answer_of(request),
            media_of(request),
            request.api_version,
        )
        return Reply(200, self._properties(call))

    def _answer(self, request: Request) -> Reply:
        context = request.required("incomingCallContext")
        operation, media = answer_of(request), media_of(request)
        call = self._switchboard.by_context(context)
        if call is None:
            raise RestError(400, "8523", "The incomingCallContext is not valid.")
        if call.state is not CallState.RINGING:
            raise RestError(409, "8523", "The call does not ring any more.")
        self._switchboard.answer(call, operation, media, request.api_version)
        return Reply(200, self._properties(call))

    def _reject(self, request: Request) -> Reply:
        return self._dismiss(request, CallState.REJECTED)

    def _redirect(self, request: Request) -> Reply:
        request.required("target")
        return self._dismiss(request, CallState.REDIRECTED)

    def _dismiss(self, request: Request, state: CallState) -> Reply:
        call = self._switchboard.by_context(request.required("incomingCallContext"))
        # Succeeds after a redirect or a missed call too: a known issue of the service.
        if call is not None:
            self._switchboard.dismiss(call, state)
        return Reply(204)

    def _get(self, request: Request) -> Reply:
        return Reply(200, self._properties(_living(request)))

    def _hang_up(self, request: Request) -> Reply:
        call = _living(request)
        line = _line(call)
        line.spawn(line.hang_up(events.ENDED_BY_API))
        return Reply(204)

    def _participants(self, request: Request) -> Reply:
        raw_ids = _line(_living(request)).roster
        return Reply(200, {"value": [events.participant(each) for each in raw_ids]})

    def _participant(self, request: Request) -> Reply:
        if request.argument not in _line(_living(request)).roster:
            raise RestError(404, "8522", "Participant not found.")
        return Reply(200, events.participant(request.argument))

    def _start(self, request: Request) -> Reply:
        call = _established(request)
        _line(call).start_media(operation_of(request, call))
        return Reply(202)

    def _stop(self, request: Request) -> Reply:
        call = _established(request)
        _line(call).stop_media(operation_of(request, call))
        return Reply(202)

    def _properties(self, call: Call) -> dict[str, Any]:
        user = f"8:acs:{self._switchboard.settings.resource_id}_emulated-app"
        body: dict[str, Any] = {
            "callConnectionId": call.connection_id,
            "serverCallId": call.server_call_id,
            "correlationId": call.correlation_id,
            "targets": [identifier(call.plan.recipient)],
            "source": identifier(call.plan.caller),
            "callConnectionState": call.state.value,
            "callbackUri": call.operation.callback_url if call.operation else None,
            "answeredBy": {"id": user},
            "sourceDisplayName": call.plan.display_name,
        }
        if call.media_options is not None:
            active = call.media is not None and call.media.state == "active"
            body["mediaStreamingSubscription"] = {
                "id": call.media.subscription_id if call.media else call.call_id,
                "state": "active" if active else "inactive",
                "subscribedContentTypes": ["audio"],
            }
        return body

    # Tokens

    async def openid_configuration(self, request: web.Request) -> web.Response:
        """Return the discovery document."""
        return web.json_response(discovery(f"{request.scheme}://{request.host}"))

    async def keys(self, _request: web.Request) -> web.Response:
        """Return the keys that verify our tokens."""
        return web.json_response(self._switchboard.issuer.key_set())


def _refusal(error: RestError) -> Reply:
    body = {"error": {"code": error.code, "message": str(error)}}
    return Reply(error.status, body)


def _living(request: Request) -> Call:
    call = request.the_call()
    if call.state in OVER:
        raise RestError(404, "8522", "Call not found.")
    return call


def _established(request: Request) -> Call:
    call = _living(request)
    if call.state is not CallState.CONNECTED:
        raise RestError(400, "8501", "The call is not in the state Established.")
    return call


def _line(call: Call) -> Line:
    if call.line is None:
        raise AssertionError("a call with a connection id was answered")
    return call.line
