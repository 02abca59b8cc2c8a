"""Servers and clients for the tests of WebSocket classes."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.websocket.applications import Application, echo, eventually
from tests.websocket.client import Client, request
from tests.websocket.dialects import DIALECTS, Dialect
from tests.websocket.server import Server

Dial = Callable[..., Client]
Build = Callable[..., Server]
Connect = Callable[..., Client]


@pytest.fixture(scope="session", params=[*DIALECTS.values()], ids=[*DIALECTS])
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """Return the WebSocket class under test: each test runs with every one."""
    found: Dialect = request.param
    return found


@pytest.fixture(scope="session")
def common_server(dialect: Dialect) -> Iterator[Server]:
    """Run one server for all tests that leave it as it was."""
    server = Server(dialect).start()
    yield server
    server.end()


@pytest.fixture
def server(common_server: Server) -> Iterator[Server]:
    """Return a server that nobody else uses now, with an echo behind it.

    Whatever a test does to it: in the end no socket is open, no application runs, and
    nothing was complained of that the test did not ask for (and then cleared).
    """
    common_server.application = echo
    with common_server.log:
        yield common_server
        try:
            eventually(common_server.quiet)
            assert common_server.log.lines == []
        finally:
            # One test that failed is enough.
            common_server.call(common_server.cancel)


@pytest.fixture
def build(dialect: Dialect) -> Iterator[Build]:
    """Return what starts a server with options of its own; it ends with the test."""
    servers: list[Server] = []

    def build(application: Application = echo, **options: Any) -> Server:
        server = Server(dialect, **options)
        server.application = application
        servers.append(server)
        return server.start()

    yield build
    for server in servers:
        server.end()


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return what makes a TCP connection to a server; it ends with the test."""
    clients: list[Client] = []

    def connect(server: Server, **options: Any) -> Client:
        client = Client(server.port, **options)
        clients.append(client)
        return client

    yield connect
    for client in clients:
        client.hang_up()


def open_socket(
    connect: Connect,
    server: Server,
    application: Application | None = None,
    path: str = "/",
    headers: Mapping[str, str | None] | None = None,
    **options: Any,
) -> Client:
    """Return a client after its handshake with a server."""
    if application is not None:
        server.application = application
    client: Client = connect(server, **options)
    client.write(request(path, headers))
    assert client.response().status == 101
    return client


@pytest.fixture
def knock(server: Server, connect: Connect) -> Dial:
    """Return what connects to the common server and says nothing yet."""
    return functools.partial(connect, server)


@pytest.fixture
def dial(server: Server, connect: Connect) -> Dial:
    """Return what opens a WebSocket to the common server."""
    return functools.partial(open_socket, connect, server)
