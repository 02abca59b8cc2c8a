"""The control API: rings calls, makes things happen in them, says what is known."""

import io
import json
from collections.abc import Awaitable, Callable
from typing import Any

import soundfile
from aiohttp import web

from emulator.calls import Call, CallState, NotPossibleError
from emulator.planning import PlanError, parse_action, parse_rest_fault
from emulator.restfaults import RateLimit, RestFaults
from emulator.switchboard import Switchboard

Handler = Callable[[web.Request], Awaitable[web.Response]]


class ControlApi:
    """Answers everything below /emulator. Nothing protects it but the loopback."""

    def __init__(
        self, switchboard: Switchboard, faults: RestFaults, limit: RateLimit
    ) -> None:
        self._switchboard = switchboard
        self._faults = faults
        self._limit = limit

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get("/emulator/health", self._health),
            web.get("/emulator/calls", self._list),
            web.post("/emulator/calls", _clear(self._ring)),
            web.get("/emulator/calls/{id}", self._one),
            web.post("/emulator/calls/{id}/{do}", _clear(self._act)),
            web.get("/emulator/dismissed", self._dismissed),
            web.get("/emulator/calls/{id}/heard.wav", self._heard),
            web.put("/emulator/outgoing", _clear(self._outgoing)),
            web.post("/emulator/faults/rest", _clear(self._rest_fault)),
        ]

    async def _health(self, _request: web.Request) -> web.Response:
        board = self._switchboard
        calls = board.calls.values()
        return web.json_response(
            {
                "ok": True,
                "event_grid": board.event_grid.state,
                "speed": board.clock.speed,
                "now": board.clock.now().isoformat(),
                "calls": len(board.calls),
                "streaming": sum(
                    call.media is not None and call.media.state == "active"
                    for call in calls
                ),
                "lint": sum(
                    call.outbound.lint.total() for call in calls if call.outbound
                ),
                "seconds": round(board.clock.seconds(), 3),
                "requests": board.ledger.requests_report(),
                "effects": len(board.ledger.effects),
                "busiest_second": self._limit.busiest,
            }
        )

    async def _list(self, _request: web.Request) -> web.Response:
        calls = self._switchboard.calls.values()
        return web.json_response({"calls": [call.report() for call in calls]})

    async def _dismissed(self, _request: web.Request) -> web.Response:
        """List the calls that the app rejected or redirected, in order of ringing."""
        states = (CallState.REJECTED, CallState.REDIRECTED)
        return web.json_response(
            {
                "calls": [
                    {
                        "id": call.call_id,
                        "from": call.plan.caller,
                        "to": call.plan.recipient,
                        "state": call.state.value,
                        **call.dismissed,
                    }
                    for call in self._switchboard.calls.values()
                    if call.state in states
                ]
            }
        )

    async def _one(self, request: web.Request) -> web.Response:
        return web.json_response(self._found(request).report())

    async def _ring(self, request: web.Request) -> web.Response:
        plan = self._switchboard.plan(await _body(request))
        call = self._switchboard.ring(plan)
        report = call.report() | {"incoming_call_context": call.context}
        return web.json_response(report, status=201)

    async def _act(self, request: web.Request) -> web.Response:
        call = self._found(request)
        body = {"at": 0, **await _body(request), "do": request.match_info["do"]}
        try:
            await self._switchboard.act(call, parse_action(body))
        except NotPossibleError as exc:
            return web.json_response({"error": str(exc)}, status=409)
        return web.json_response(call.report())

    async def _outgoing(self, request: web.Request) -> web.Response:
        self._switchboard.outgoing = self._switchboard.plan(await _body(request))
        return web.json_response({"ok": True})

    async def _heard(self, request: web.Request) -> web.Response:
        call = self._found(request)
        if call.outbound is None or call.media_options is None:
            raise web.HTTPNotFound(text="this call has no media\n")
        wave = io.BytesIO()
        with soundfile.SoundFile(
            wave, "w", call.media_options.rate, 1, "PCM_16", format="WAV"
        ) as file:
            file.buffer_write(call.outbound.heard(), dtype="int16")
        return web.Response(body=wave.getvalue(), content_type="audio/wav")

    async def _rest_fault(self, request: web.Request) -> web.Response:
        self._faults.add(parse_rest_fault(await _body(request)))
        return web.json_response({"pending": len(self._faults.pending)}, status=201)

    def _found(self, request: web.Request) -> Call:
        name = request.match_info["id"]
        call = self._switchboard.calls.get(name) or self._switchboard.by_connection(
            name
        )
        if call is None:
            raise web.HTTPNotFound(text="there is no such call\n")
        return call


def _clear(handler: Handler) -> Handler:
    """Answer 400 with the reason when a request cannot be understood."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except PlanError as exc:
            return web.json_response({"error": str(exc)}, status=400)

    return answer


async def _body(request: web.Request) -> dict[str, Any]:
    text = await request.text()
    if not text:
        return {}
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise PlanError("the body is not JSON") from exc
    if not isinstance(body, dict):
        raise PlanError("the body is not a JSON object")
    return body
