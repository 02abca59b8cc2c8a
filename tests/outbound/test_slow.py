"""Sockets that are not ingest's best: one that is not read, one of another server."""

import asyncio
import base64
import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from uuid import uuid4

import aiohttp
import numpy as np
import soundfile
from redis import Redis

from calls import identity
from calls.live import speaking
from tests.outbound.conftest import noise
from tests.streaming.house import House, eventually
from tests.streaming.wire import audio, metadata

CONNECTION = "acs-connection"


class Peer:
    """ACS with a receive buffer of next to nothing, which reads when it is told to."""

    def __init__(self, port: int) -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.setblocking(False)
        self._port = port

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        key = base64.b64encode(os.urandom(16)).decode()
        request = (
            f"GET /media/anything HTTP/1.1\r\nHost: localhost:{self._port}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Key: {key}\r\n"
            f"x-ms-call-connection-id: {CONNECTION}\r\n\r\n"
        )
        await loop.sock_sendall(self._socket, request.encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += await loop.sock_recv(self._socket, 1)
        assert answer.startswith(b"HTTP/1.1 101")

    async def send(self, text: str) -> None:
        """Send a text frame, masked by a key of zeros."""
        size = len(text).to_bytes(2, "big")
        frame = b"\x81\xfe" + size + bytes(4) + text.encode()
        await asyncio.get_running_loop().sock_sendall(self._socket, frame)

    async def receive(self) -> bytes:
        """Return the PCM of the next message."""
        while True:
            head = await self._exactly(2)
            size = head[1]
            if size == 126:
                size = int.from_bytes(await self._exactly(2), "big")
            payload = await self._exactly(size)
            # Pings measure the round trip: nobody has to answer.
            if not head[0] & 0x08:
                return base64.b64decode(json.loads(payload)["AudioData"]["Data"])

    async def _exactly(self, size: int) -> bytes:
        loop = asyncio.get_running_loop()
        got = b""
        while len(got) < size:
            got += await loop.sock_recv(self._socket, size - len(got))
        return got

    def close(self) -> None:
        self._socket.close()


async def play(pcm: bytes, house: House, redis: Redis) -> None:
    """Play a prompt into the one call there is, once somebody listens for orders."""
    folder = house.folder / "recordings"
    folder.mkdir(exist_ok=True)
    soundfile.write(folder / "long.flac", np.frombuffer(pcm, "<i2"), 16_000, "PCM_16")
    order = speaking.PlayPrompt(
        call=str(identity.call_id(CONNECTION)),
        command=str(uuid4()),
        prompt=str(uuid4()),
        name="long",
        audio={16_000: "long.flac"},
    )
    encoded = speaking.encode(order)
    await eventually(lambda: redis.publish(speaking.SPEAK, encoded))


async def test_who_does_not_read_is_waited_for_and_heard_all_the_same(
    build: Callable[..., House], redis_url: str
) -> None:
    house = build(REDIS_URL=redis_url).start()
    pcm = noise(3.0)
    peer = Peer(house.port)
    await peer.open()
    await peer.send(metadata())

    with Redis.from_url(redis_url) as redis:
        await play(pcm, house, redis)
    # Longer than its buffers hold: the rest waits with us, and nothing in between.
    for number in range(200):
        await peer.send(audio(number))
        await asyncio.sleep(0.02)
    rows = house.rows("select state from calls_utterance")
    assert [row["state"] for row in rows] == ["playing"]
    await eventually(
        lambda: house.rows("select 1 from calls_connection where packets = 200")
    )

    heard = b""
    async with asyncio.timeout(60):
        while len(heard) < len(pcm):
            heard += await peer.receive()
    assert heard == pcm
    [row] = await eventually(
        lambda: house.rows("select * from calls_utterance where state = 'played'")
    )
    peer.close()
    assert row["underruns"] > 0


async def test_daphne_speaks_as_well(
    on_daphne: Callable[..., House], client: aiohttp.ClientSession, redis_url: str
) -> None:
    daphne = on_daphne(REDIS_URL=redis_url)
    pcm = noise(0.5)
    async with asyncio.timeout(60):
        ws = await dial(daphne, client)
        await ws.send_str(metadata())
        await ws.send_str(audio(0))
        await eventually(lambda: daphne.rows("select 1 from calls_connection"))

        with Redis.from_url(redis_url) as redis:
            await play(pcm, daphne, redis)
        heard = b""
        while len(heard) < len(pcm):
            message = await ws.receive_json()
            heard += base64.b64decode(message["AudioData"]["Data"])
        await eventually(
            lambda: daphne.rows("select 1 from calls_utterance where state = 'played'")
        )
        await ws.close()

    assert heard == pcm


async def dial(
    house: House, client: aiohttp.ClientSession
) -> aiohttp.ClientWebSocketResponse:
    """Dial a server that is perhaps not listening yet."""
    while True:
        with suppress(aiohttp.ClientConnectorError):
            named = {"x_ms_call_connection_id": CONNECTION}
            return await house.dial(client, "anything", **named)
        await asyncio.sleep(0.1)
