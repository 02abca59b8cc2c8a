"""The extension of ours that measures how long a word and its answer take."""

import asyncio
import time

import pytest

from streaming.websocket import ROUND_TRIP
from tests.websocket.applications import Message, Receive, Send, accepted, eventually
from tests.websocket.client import CLOSE, PING, PONG, TEXT, fin, frame
from tests.websocket.conftest import Dial
from tests.websocket.dialects import OURS
from tests.websocket.server import Server

pytestmark = pytest.mark.parametrize(
    "dialect", [OURS], ids=[OURS.name], indirect=True, scope="session"
)


class Asking:
    """An application that asks for the round trip whenever it is told something."""

    def __init__(self) -> None:
        self.trips_us: list[int] = []
        self.is_over = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        await accepted(receive, send)
        while (await receive())["type"] == "websocket.receive":
            scope["extensions"][ROUND_TRIP](self.trips_us.append)
        # Nothing is sent any more, and nobody is told.
        scope["extensions"][ROUND_TRIP](self.trips_us.append)
        self.is_over.set()


def test_a_round_trip_is_from_our_ping_to_its_own_pong(
    server: Server, dial: Dial
) -> None:
    asking = Asking()
    client = dial(asking)
    began_ns = time.monotonic_ns()
    client.send(frame(TEXT, b"ask"), frame(TEXT, b"again"))
    (_, older), (kind, newest) = client.frame(), client.frame()

    # What nobody asked for, and what answers a ping that another has replaced.
    client.send(frame(PONG, b"?"), frame(PONG, older))
    server.settle()
    assert not asking.trips_us
    client.send(frame(PONG, newest), frame(PONG, newest))
    eventually(lambda: asking.trips_us)
    server.settle()

    [trip_us] = asking.trips_us
    assert kind == fin(PING)
    assert 0 < trip_us <= (time.monotonic_ns() - began_ns) // 1000


def test_a_ping_that_is_not_answered_ends_nothing(dial: Dial) -> None:
    asking = Asking()
    client = dial(asking)

    for _ in range(3):
        client.write(frame(TEXT, b"ask"))
        assert client.frame()[0] == fin(PING)
    client.send(frame(CLOSE))

    assert client.closed() == (None, "")
    eventually(asking.is_over.is_set)
    assert not asking.trips_us
