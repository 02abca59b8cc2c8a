"""The emulator as one web server."""

import asyncio
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp import web

from emulator.clock import Clock
from emulator.control import ControlApi
from emulator.options import Behaviour, Settings
from emulator.rest import RestApi
from emulator.restfaults import RestFaults
from emulator.speech import Speech
from emulator.switchboard import Switchboard


class ListenError(Exception):
    """The address to listen on cannot be had."""


class Emulator:
    """Listens from `async with` on; `url` says where."""

    def __init__(
        self,
        settings: Settings,
        behaviour: Behaviour,
        speech: Speech,
        *,
        clock: Clock | None = None,
    ) -> None:
        """Run by `clock`, or by one that runs as fast as the settings say."""
        self._clock = clock or Clock(settings.speed)
        self._settings = settings
        self._behaviour = behaviour
        self._speech = speech
        self.rest_faults = RestFaults()
        self.url = ""
        self.switchboard: Switchboard

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._settings.verify_tls),
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self.switchboard = Switchboard(
            self._settings, self._behaviour, self._speech, self._session, self._clock
        )
        self._runner = web.AppRunner(self._application(), access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as exc:
            await self._runner.cleanup()
            await self._session.close()
            raise ListenError(str(exc)) from exc
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self._validation = asyncio.create_task(self.switchboard.event_grid.validate())
        return self

    def _application(self) -> web.Application:
        rest = RestApi(self.switchboard, self.rest_faults)
        app = web.Application()
        control = ControlApi(self.switchboard, self.rest_faults, rest.limit)
        app.add_routes(control.routes())
        app.add_routes(
            [
                web.get(
                    "/calling/.well-known/acsopenidconfiguration",
                    rest.openid_configuration,
                ),
                web.get("/calling/keys", rest.keys),
                web.route("*", "/{rest:.*}", rest.handle),
            ]
        )
        return app

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._validation.cancel()
        await asyncio.gather(self._validation, return_exceptions=True)
        await self.switchboard.close()
        await self._runner.cleanup()
        await self._session.close()
