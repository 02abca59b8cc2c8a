"""Messages of every size, however they are cut on their way."""

import pytest

from tests.websocket.client import BINARY, CONTINUATION, TEXT, fin, fragments, frame
from tests.websocket.conftest import Dial
from tests.websocket.server import MAX_SIZE, Server

# Around every border between two forms of the length, and the largest allowed.
SIZES = [0, 1, 125, 126, 127, 128, 65535, 65536, 1024 * 1024, MAX_SIZE]


def payload(size: int) -> bytes:
    """Return ASCII that no shift or swap of its parts leaves as it is."""
    return b"".join(b"%07d," % number for number in range(size // 8 + 1))[:size]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
def test_a_message_comes_back_as_it_was(dial: Dial, opcode: int, size: int) -> None:
    client = dial()

    client.write(frame(opcode, payload(size)))

    assert client.frame() == (fin(opcode), payload(size))


@pytest.mark.parametrize("size", SIZES[:-2])
def test_a_message_in_many_frames_is_one_message(dial: Dial, size: int) -> None:
    whole = payload(size)
    step = max(1, size // 50)
    parts = [whole[start : start + step] for start in range(0, size, step)]
    client = dial()

    client.send(*fragments(BINARY, [b"", *parts, b""]))

    assert client.message() == whole


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127])
@pytest.mark.parametrize("opcode", [TEXT, BINARY], ids=["text", "binary"])
def test_a_frame_may_come_in_single_bytes(
    server: Server, dial: Dial, opcode: int, size: int
) -> None:
    client = dial()

    for byte in frame(opcode, payload(size)):
        client.write(bytes([byte]))
        server.settle()

    assert client.frame() == (fin(opcode), payload(size))


def test_a_frame_may_be_cut_anywhere(server: Server, dial: Dial) -> None:
    client = dial()
    text = "Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich. " * 3
    wire = frame(TEXT, text.encode())

    for cut in range(1, len(wire)):
        client.write(wire[:cut])
        server.settle()
        client.write(wire[cut:])

        assert client.message() == text


def test_a_large_frame_may_come_in_two_pieces(server: Server, dial: Dial) -> None:
    client = dial()
    wire = frame(BINARY, payload(70_000))

    for cut in (1, 2, 9, 10, 13, 14, 15, 4096, 65535, 65536, 65537, len(wire) - 1):
        client.write(wire[:cut])
        server.settle()
        client.write(wire[cut:])

        assert client.message() == payload(70_000)


def test_many_frames_may_come_in_one_piece(dial: Dial) -> None:
    client = dial()
    texts = [f"{number}" * (number % 40) for number in range(2_000)]

    client.send(*(frame(TEXT, text.encode()) for text in texts))

    assert [client.message() for _ in texts] == texts


def test_a_frame_may_end_within_the_piece_that_begins_the_next(
    server: Server, dial: Dial
) -> None:
    client = dial()
    texts = [f"packet {number}" for number in range(300)]
    wire = b"".join(frame(TEXT, text.encode()) for text in texts)

    # 17 is prime to every length of a frame here: each cut falls elsewhere.
    for start in range(0, len(wire), 17):
        client.write(wire[start : start + 17])
        server.settle()

    assert [client.message() for _ in texts] == texts


def test_every_mask_is_undone(dial: Dial) -> None:
    client = dial()
    plain = payload(1_003)

    for key in (b"\x00\x00\x00\x00", b"\xff\xff\xff\xff", b"\x01\x02\x03\x04"):
        masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(plain))
        client.write(b"\x82\xfe" + len(plain).to_bytes(2) + key + masked)

        assert client.message() == plain


def test_each_frame_of_a_message_has_a_mask_of_its_own(dial: Dial) -> None:
    client = dial()

    # The second key is not where the first one stopped.
    client.write(
        b"\x01\x83\x01\x02\x03\x04"
        + bytes(x ^ y for x, y in zip(b"abc", b"\x01\x02\x03", strict=True))
    )
    client.write(frame(CONTINUATION, b"def"))

    assert client.message() == "abcdef"


def test_two_sockets_do_not_mix(server: Server, dial: Dial) -> None:
    one, two = dial(), dial()
    halves = frame(TEXT, b"one"), frame(TEXT, b"two")

    for client, wire in zip((one, two), halves, strict=True):
        client.write(wire[:7])
    server.settle()
    for client, wire in zip((one, two), halves, strict=True):
        client.write(wire[7:])

    assert (one.message(), two.message()) == ("one", "two")
