"""Whatever is sent, however it is cut: it arrives intact, in order, once."""

import contextlib
from collections.abc import Sequence

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.websocket.applications import Witness, eventually
from tests.websocket.client import (
    BINARY,
    PING,
    PONG,
    TEXT,
    Client,
    closing,
    fin,
    fragments,
    frame,
    request,
)
from tests.websocket.server import Server

sizes = st.sampled_from([0, 1, 2, 7, 124, 125, 126, 127, 300, 4_000, 65535, 65536])
texts = st.text(max_size=40) | st.builds("{:x<{}}".format, st.text(max_size=3), sizes)
binaries = st.binary(max_size=40) | st.builds(bytes, sizes)
messages = st.lists(texts | binaries, max_size=12)
# What may stand between two frames: pings, and pongs that nobody asked for.
between = st.lists(
    st.tuples(st.sampled_from([PING, PONG]), st.binary(max_size=125)), max_size=2
)


def cut(content: bytes, cuts: Sequence[float]) -> list[bytes]:
    """Return `content` in pieces; each cut is a place from 0 to 1."""
    places = sorted(round(cut * len(content)) for cut in cuts)
    return [
        content[start:end]
        for start, end in zip([0, *places], [*places, len(content)], strict=True)
    ]


cuts = st.lists(st.floats(0, 1), max_size=4)


def frames_of(message: str | bytes, places: Sequence[float]) -> list[bytes]:
    if isinstance(message, str):
        return fragments(TEXT, cut(message.encode(), places))
    return fragments(BINARY, cut(message, places))


@given(messages=messages, more=st.data())
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_everything_arrives_in_order_and_once(
    common_server: Server, messages: list[str | bytes], more: st.DataObject
) -> None:
    wire: list[bytes] = []
    pinged: list[bytes] = []
    for message in messages:
        for piece in frames_of(message, more.draw(cuts)):
            for opcode, carried in more.draw(between):
                wire.append(frame(opcode, carried))
                pinged += [carried] if opcode == PING else []
            wire.append(piece)
    wire.append(frame(0x8, closing(1000, b"that is all")))
    witness = common_server.application = Witness()
    with Client(common_server.port) as client:
        client.write(request())
        assert client.response().status == 101
        for piece in cut(b"".join(wire), more.draw(cuts)):
            client.write(piece)
            common_server.settle()

        pongs = [client.frame() for _ in pinged]
        assert pongs == [(fin(PONG), each) for each in pinged]
        assert client.closed()[0] == 1000
    assert witness.disconnect() == (1000, "that is all")
    assert witness.messages == messages
    eventually(common_server.quiet)


@given(noise=st.binary(min_size=1, max_size=400), places=cuts)
@settings(max_examples=60)
def test_no_noise_harms_the_server(
    common_server: Server, noise: bytes, places: list[float]
) -> None:
    witness = common_server.application = Witness()
    with common_server.log as log:
        with Client(common_server.port) as client:
            client.write(request())
            assert client.response().status == 101
            client.text("before")
            common_server.settle()
            for piece in cut(noise, places):
                # It may have had enough of it.
                with contextlib.suppress(ConnectionError):
                    client.write(piece)
                common_server.settle()
        witness.disconnect()
        eventually(common_server.quiet)

    assert witness.messages[:1] == ["before"]
    assert not [line for line in log.lines if "Invalid UTF-8" not in line]
