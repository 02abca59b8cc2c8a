"""The shape of Microsoft's sample for Python: `websockets`, `json.loads`, keep nothing.

    python -m benchmarks.servers.sample PORT FOLDER [--store]

Without the sample's two prints per packet, which would cost more than all the rest.
With `--store` it does what a first version would: base64 undone, one file per socket.
"""

import asyncio
import base64
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from websockets.asyncio.server import ServerConnection, serve

from benchmarks.servers.sampler import Sampler, until_told


async def take(websocket: ServerConnection) -> None:
    """Parse every message and forget it."""
    async for message in websocket:
        json.loads(message)


def storing(folder: Path) -> Callable[[ServerConnection], Awaitable[None]]:
    """Return a handler that writes each socket's audio to a file."""

    async def store(websocket: ServerConnection) -> None:
        request = websocket.request
        name = request.path.rpartition("/")[2] if request else ""
        with (folder / f"{name}.pcm").open("wb") as file:
            async for message in websocket:
                packet = json.loads(message)
                if packet["kind"] == "AudioData":
                    file.write(base64.b64decode(packet["audioData"]["data"]))

    return store


async def run(port: int, folder: Path, *, is_storing: bool) -> None:
    """Serve until SIGTERM."""
    handler = storing(folder) if is_storing else take
    async with serve(handler, "127.0.0.1", port):
        await until_told(Sampler(), folder / "lags.json")


if __name__ == "__main__":
    asyncio.run(
        run(int(sys.argv[1]), Path(sys.argv[2]), is_storing="--store" in sys.argv)
    )
