"""A web process that ends waits for what its sockets still write down."""

import asyncio
from typing import Any

import pytest

from acsstream import web_server
from acsstream.web_server import WebServer
from calls.live.web_totals import WebPulse, WebTotals
from streaming import recorder
from streaming.tasks import to_the_end


async def test_a_socket_that_is_given_up_lets_go_before_the_process_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Other tests share this process's own.
    monkeypatch.setattr(web_server, "web_pulse", WebPulse(WebTotals()))
    monkeypatch.setattr(recorder, "_recorder", None)
    ended = asyncio.Event()

    @to_the_end
    async def let_go() -> None:
        await asyncio.wait({asking})
        # As long as a database may take.
        await asyncio.sleep(0.5)
        ended.set()

    asking = asyncio.create_task(let_go())
    # Of the browser's socket nothing is asked but which task it is.
    sockets: dict[Any, Any] = {object(): {"application_instance": asking}}
    server = WebServer(None, drain_seconds=0.01, endpoints=["none"])
    server.connections = sockets
    await server._drain()

    assert asking.cancelled()
    assert ended.is_set()
