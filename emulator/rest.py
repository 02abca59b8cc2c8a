"""The Call Automation REST API, as far as an app that streams media needs it.

A request goes through the rate limit, the failures that were asked for, the memory of
repeatability ids, and then to its operation.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from aiohttp import web

from emulator import auth, events, midcall
from emulator.calls import Call, Ending
from emulator.identities import raw_id_of
from emulator.operations import CallOperations
from emulator.restbodies import Reply, Request, RestError, read_json
from emulator.restfaults import RateLimit, RestFault, RestFaults
from emulator.switchboard import Switchboard
from emulator.tokens import discovery

REMEMBERED = 1000
"""How many repeatability ids are remembered."""
CONNECTING = ("answer", "create", "connect")
"""The operations that CallConnected follows."""
CALLS = r"/calling/callConnections"
ONE = CALLS + r"/(?P<call>[^/:]+)"
PEOPLE = ONE + "/participants"

Handler = Callable[[Request], Reply]


def _routes(calls: CallOperations) -> list[tuple[str, str, str, Handler]]:
    return [
        ("POST", CALLS, "create", calls.create),
        ("POST", CALLS + ":connect", "connect", calls.connect),
        ("POST", CALLS + ":answer", "answer", calls.answer),
        ("POST", CALLS + ":reject", "reject", calls.reject),
        ("POST", CALLS + ":redirect", "redirect", calls.redirect),
        ("GET", ONE, "get", calls.get),
        ("DELETE", ONE, "hangUp", calls.leave),
        ("POST", ONE + ":terminate", "terminate", calls.terminate),
        ("GET", PEOPLE, "participants", midcall.participants),
        ("GET", PEOPLE + r"/(?P<argument>[^/]+)", "participant", midcall.participant),
        ("POST", PEOPLE + ":add", "addParticipant", midcall.add),
        ("POST", PEOPLE + ":remove", "removeParticipant", midcall.remove),
        (
            "POST",
            PEOPLE + ":cancelAddParticipant",
            "cancelAddParticipant",
            midcall.cancel_add,
        ),
        ("POST", PEOPLE + ":mute", "mute", midcall.mute),
        ("POST", ONE + ":hold", "hold", midcall.hold),
        ("POST", ONE + ":unhold", "unhold", midcall.unhold),
        ("POST", ONE + ":transferToParticipant", "transfer", midcall.transfer),
        *(
            ("POST", f"{ONE}:{name}", name, handler)
            for name, handler in {
                "startMediaStreaming": midcall.start_streaming,
                "stopMediaStreaming": midcall.stop_streaming,
                "startTranscription": midcall.start_transcription,
                "stopTranscription": midcall.stop_transcription,
                "updateTranscription": midcall.update_transcription,
                "startContinuousDtmfRecognition": midcall.start_recognition,
                "stopContinuousDtmfRecognition": midcall.stop_recognition,
            }.items()
        ),
    ]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, verified, and what is known of it before it is carried out."""

    operation: str
    method: str
    handler: Handler
    call_name: str | None
    argument: str
    body: bytes
    api_version: str
    repeatability: str | None
    call: Call | None

    def json(self) -> Request:
        """Return the request as its handler takes it. Raises `RestError`."""
        if self.call_name is not None and self.call is None:
            raise RestError(404, "8522", "Call not found.")
        body = read_json(self.body)
        return Request(self.call, self.argument, body, self.api_version)


class RestApi:
    """Answers everything below /calling."""

    def __init__(self, switchboard: Switchboard, faults: RestFaults) -> None:
        self._switchboard = switchboard
        self._faults = faults
        self._key = auth.decode_key(switchboard.settings.access_key)
        self._first_replies: dict[str, Reply] = {}
        self.limit = RateLimit(switchboard.clock, switchboard.settings.rate_limit)
        self._routes = [
            (method, re.compile(pattern), name, handler)
            for method, pattern, name, handler in _routes(CallOperations(switchboard))
        ]

    # Requests in, answers out

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request, with an error body if need be, or not at all."""
        try:
            reply = await self._reply(await self._asked(request))
        except RestError as exc:
            reply = _refusal(exc)
        if reply is None and request.transport is not None:
            # What is returned below cannot be written any more.
            request.transport.abort()
        reply = reply or Reply(500)
        text = None if reply.body is None else json.dumps(reply.body)
        return web.Response(
            text=text,
            status=reply.status,
            headers=reply.headers,
            content_type="application/json",
        )

    async def _asked(self, request: web.Request) -> Asked:
        """Verify a request and find out what it is about. Raises `RestError`."""
        body = await request.read()
        signed = auth.SignedRequest(
            request.method, request.raw_path, request.headers, body
        )
        skew = self._switchboard.settings.clock_skew
        try:
            auth.verify(signed, self._key, now=datetime.now(UTC), skew=skew)
        except auth.AuthError as exc:
            raise RestError(401, "Unauthorized", str(exc)) from exc
        path = request.raw_path.partition("?")[0]
        name, handler, parts = self._route(request.method, path)
        call_name = unquote(parts["call"]) if "call" in parts else None
        return Asked(
            operation=name,
            method=request.method,
            handler=handler,
            call_name=call_name,
            argument=unquote(parts.get("argument", "")),
            body=body,
            api_version=request.query.get("api-version", ""),
            repeatability=request.headers.get("Repeatability-Request-ID"),
            call=self._call(call_name, body),
        )

    def _route(self, method: str, path: str) -> tuple[str, Handler, dict[str, str]]:
        for known_method, pattern, name, handler in self._routes:
            if method == known_method and (found := pattern.fullmatch(path)):
                return name, handler, found.groupdict()
        message = f"The emulator does not have {method} {path}."
        raise RestError(501, "NotImplemented", message)

    def _call(self, name: str | None, body: bytes) -> Call | None:
        """Return the call that a request names in its path or by its context."""
        if name is not None:
            return self._switchboard.by_connection(name)
        try:
            context = read_json(body).get("incomingCallContext")
        except RestError:
            return None
        return self._switchboard.by_context(str(context))

    async def _reply(self, asked: Asked) -> Reply | None:
        """Return the answer, and count it; None is a connection that breaks."""
        after = self.limit.retry_after()
        fault = None if after is not None else self._fault(asked)
        if after is not None:
            reply = _too_many(after)
        elif fault is not None and fault.lost == "request":
            self._count(asked, asked.call, "request lost")
            return None
        elif fault is not None and fault.status:
            reply = _injected(fault)
        else:
            reply = await self._carry_out(asked)
        if fault is not None and fault.delay:
            await self._switchboard.clock.hold_up(fault.delay)
        lost = fault is not None and fault.lost == "answer"
        self._count(
            asked,
            reply.call or asked.call,
            "answer lost" if lost else str(reply.status),
        )
        return None if lost else reply

    def _fault(self, asked: Asked) -> RestFault | None:
        names: set[str] = set()
        if asked.call is not None:
            own = asked.call.rest_faults.take(asked.operation)
            if own is not None:
                return own
            names |= asked.call.names
        elif asked.operation == "create":
            names |= _who(asked)
        return self._faults.take(asked.operation, names)

    def _count(self, asked: Asked, call: Call | None, outcome: str) -> None:
        self._switchboard.ledger.requested(asked.operation, outcome)
        if call is not None:
            call.ledger.requested(asked.operation, outcome)

    async def _carry_out(self, asked: Asked) -> Reply:
        call = asked.call
        when = call.plan.faults.ends(asked.operation) if call else ""
        if call is not None and when == "before":
            self._caller_hangs_up(call)
        try:
            reply = self._once(asked)
        except RestError as exc:
            return _refusal(exc)
        if call is not None and when == "after":
            self._caller_hangs_up(call)
        if asked.operation in CONNECTING and (call := reply.call or call) is not None:
            await self._connected(call)
        return reply

    def _caller_hangs_up(self, call: Call) -> None:
        self._switchboard.end(call, events.ENDED_BY_CALLER, Ending.CALLER)

    async def _connected(self, call: Call) -> None:
        """Wait for CallConnected to be delivered if the answer is to come after it."""
        if call.plan.behaviour.answer_response == "at_once" or call.callbacks is None:
            return
        delivered = call.callbacks.done_with("CallConnected")
        either = asyncio.Event()
        waiting = [
            asyncio.create_task(_tell(each, either)) for each in (delivered, call.over)
        ]
        await self._switchboard.clock.hold_up_until(either)
        for task in waiting:
            task.cancel()

    def _once(self, asked: Asked) -> Reply:
        """Run a request, or return what its repeatability id was answered before.

        Only successes are remembered: a request that failed is meant to be tried again.
        """
        if asked.repeatability in self._first_replies:
            return self._first_replies[asked.repeatability]
        request = asked.json()
        reply = asked.handler(request)
        if asked.method != "GET" and not reply.idle:
            self._took_effect(asked, reply.call or asked.call, request)
        if asked.repeatability is not None:
            self._first_replies[asked.repeatability] = reply
            if len(self._first_replies) > REMEMBERED:
                del self._first_replies[next(iter(self._first_replies))]
        return reply

    def _took_effect(self, asked: Asked, call: Call | None, request: Request) -> None:
        at = self._switchboard.clock.seconds()
        context = request.body.get("operationContext")
        for ledger in (self._switchboard.ledger, call.ledger if call else None):
            if ledger is not None:
                ledger.took_effect(asked.operation, context, at)

    # Tokens

    async def openid_configuration(self, request: web.Request) -> web.Response:
        """Return the discovery document."""
        return web.json_response(discovery(f"{request.scheme}://{request.host}"))

    async def keys(self, _request: web.Request) -> web.Response:
        """Return the keys that verify our tokens."""
        return web.json_response(self._switchboard.issuer.key_set())


async def _tell(first: asyncio.Event, other: asyncio.Event) -> None:
    await first.wait()
    other.set()


def _who(asked: Asked) -> set[str]:
    """Return the raw ids of those who are in a request to place a call."""
    try:
        body = read_json(asked.body)
    except RestError:
        return set()
    source = body.get("sourceCallerIdNumber")
    caller = raw_id_of({"phoneNumber": source})
    targets = body.get("targets")
    raw_ids = map(raw_id_of, targets if isinstance(targets, list) else [])
    return {each for each in (caller, *raw_ids) if each}


def _refusal(error: RestError) -> Reply:
    body = {"error": {"code": error.code, "message": str(error)}}
    return Reply(error.status, body)


def _injected(fault: RestFault) -> Reply:
    error = RestError(fault.status, "Injected", "This failure was asked for.")
    after = fault.retry_after
    headers = {} if after is None else {"Retry-After": str(after)}
    return Reply(fault.status, _refusal(error).body, headers)


def _too_many(after: int) -> Reply:
    error = RestError(429, "TooManyRequests", "The rate limit is exceeded.")
    return Reply(429, _refusal(error).body, {"Retry-After": str(after)})
