"""The floor: frames parsed in C, JSON and base64 decoded at once, a file written.

    python -m benchmarks.servers.floor PORT FOLDER

No checks, no timeline, no ledger, no database: whoever keeps audio in Python pays this.
"""

import asyncio
import sys
from pathlib import Path

import msgspec
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server
from picows.common import WSUpgradeRequest

from benchmarks.servers.sampler import Sampler, until_told


class Audio(msgspec.Struct):
    """What of a packet is kept. msgspec undoes base64 for `bytes`."""

    data: bytes


class Message(msgspec.Struct):
    """A frame; metadata has no audio."""

    audio: Audio | None = msgspec.field(name="audioData", default=None)


decode = msgspec.json.Decoder(Message).decode


class Stream(WSListener):
    """Writes one socket's audio to one file."""

    def __init__(self, folder: Path, request: WSUpgradeRequest) -> None:
        name = request.path.decode().rpartition("/")[2]
        self.file = (folder / f"{name}.pcm").open("wb")

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Keep a packet."""
        if frame.msg_type == WSMsgType.TEXT:
            message = decode(frame.get_payload_as_memoryview())
            if message.audio:
                self.file.write(message.audio.data)
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code(), frame.get_close_message())
            transport.disconnect()

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        """Have the rest of the buffer written."""
        self.file.close()


async def serve(port: int, folder: Path) -> None:
    """Serve until SIGTERM."""
    server = await ws_create_server(
        lambda request: Stream(folder, request), "127.0.0.1", port
    )
    await until_told(Sampler(), folder / "lags.json")
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
