"""The service as one web server, and its control API."""

import asyncio
import hmac
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import web

from emulator.realtime.plan import Plan, PlanError
from emulator.realtime.session import Session

PATHS = ("/v1/realtime", "/openai/v1/realtime")


class RealtimeServer:
    """Listens from `async with` on; `url` says where, `/v1` below it is the API.

    With a key, only sockets that bring it are taken, as `Authorization: Bearer` or as
    `api-key`.
    """

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        key: str = "",
        plan: Plan | None = None,
    ) -> None:
        self.plan = plan or Plan()
        self.sessions: list[Session] = []
        self.refused: list[int] = []
        self.url = ""
        self._host, self._port, self._key = host, port, key

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.add_routes([web.get(path, self._socket) for path in PATHS])
        app.add_routes(
            [
                web.get("/emulator/realtime", self._report),
                web.put("/emulator/realtime/plan", self._replan),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._runner.cleanup()

    def report(self) -> dict[str, Any]:
        """Return what was told to the service, by session."""
        return {
            "refused": self.refused,
            "turns_left": len(self.plan.turns),
            "sessions": [session.report() for session in self.sessions],
        }

    async def _report(self, _request: web.Request) -> web.Response:
        return web.json_response(self.report())

    async def _replan(self, request: web.Request) -> web.Response:
        try:
            plan = Plan.parse(await request.text())
        except PlanError as exc:
            return web.json_response({"error": str(exc)}, status=400)
        self.plan.turns[:] = plan.turns
        self.plan.refuse[:] = plan.refuse
        self.plan.retry_after = plan.retry_after
        return web.json_response({"ok": True})

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self._key and not self._has_key(request):
            return self._refused(401, {})
        if self.plan.refuse:
            after = {"Retry-After": str(self.plan.retry_after)}
            return self._refused(self.plan.refuse.pop(0), after)
        return None

    def _has_key(self, request: web.Request) -> bool:
        bearer = request.headers.get("Authorization", "").removeprefix("Bearer ")
        brought = (bearer, request.headers.get("api-key", ""))
        wanted = self._key.encode()
        return any(hmac.compare_digest(each.encode(), wanted) for each in brought)

    def _refused(self, status: int, headers: dict[str, str]) -> web.Response:
        self.refused.append(status)
        return web.json_response({"error": {}}, status=status, headers=headers)

    async def _socket(self, request: web.Request) -> web.StreamResponse:
        refusal = self._refusal(request)
        if refusal is not None:
            return refusal
        socket = web.WebSocketResponse(max_msg_size=0)
        await socket.prepare(request)
        session = self._session(request, socket)
        try:
            await session.open()
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    await session.take(message.data)
        except (ConnectionError, asyncio.CancelledError):
            # Dropped on purpose, or the server ends: nobody is left to be told.
            pass
        finally:
            await session.close()
        return socket

    def _session(self, request: web.Request, socket: web.WebSocketResponse) -> Session:
        def drop() -> None:
            if request.transport is not None:
                request.transport.abort()

        async def send(text: str) -> None:
            if not socket.closed:
                await socket.send_str(text)

        model = request.query.get("model", "")
        session = Session(len(self.sessions), model, self.plan, send, drop)
        self.sessions.append(session)
        return session
