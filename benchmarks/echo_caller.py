"""The callers of `benchmarks.echo`: they speak and hear themselves, as one process.

    python -m benchmarks.echo_caller '{"port": 8001, "name": "echo", …}'

Each packet holds one number as all its samples, so that an echo tells which packet it
is of. What comes back is queued and played in real time, as ACS does. It prints a line
when all sockets are open, waits for a line, speaks, and prints JSON. A call that is not
taken, or ends early, ends it: one line on standard error says why, exit code 1.
"""

import base64
import json
import select
import socket
import struct
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field

from benchmarks.frames import (
    CLOSE,
    PACKET_US,
    TEXT,
    client_frame,
    closing_words,
    stamper,
)
from benchmarks.speaker import Speaker

PACKET_NS = PACKET_US * 1000
NUMBERS = 20_000
SAMPLES = 320
_DATA = b'"Data":"'
_STOP = b"StopAudio"
_MASK = 0x5A


@dataclass(frozen=True, slots=True)
class Calls:
    """Who calls: so many streams for so long."""

    port: int
    name: str
    streams: int
    seconds: float


@dataclass(slots=True)
class Heard:
    """What came back, in milliseconds and numbers."""

    packets: int = 0
    # From sending a packet until its echo was there, and until it was played.
    there_ms: list[float] = field(default_factory=list)
    played_ms: list[float] = field(default_factory=list)
    underruns: int = 0
    late: int = 0
    # By stream, when StopAudio came, by the monotonic clock.
    stops_ns: dict[str, int] = field(default_factory=dict)


class CallLostError(Exception):
    """A call was not taken, or was ended by the other side; says why."""


class Caller:
    """One call: what it sent, and what it hears of that."""

    def __init__(self, calls: Calls, number: int) -> None:
        self.speaker = Speaker(calls.port, f"{calls.name}-{number:04d}", number)
        try:
            self.speaker.dial()
        except OSError as exc:
            raise self._lost(str(exc)) from exc
        wire = self.speaker._socket
        if wire is None:
            raise AssertionError("it has just dialled")
        self.wire: socket.socket = wire
        self.number = 0
        self._sent: deque[tuple[int, int]] = deque(maxlen=500)
        self._text = b""
        self._ends_ns = 0

    def speak(self, stamp_us: int, stamp: bytes, now: int) -> None:
        """Send the next packet."""
        self.number += 1
        value = self.number % NUMBERS + 1
        data = base64.b64encode(struct.pack("<h", value) * SAMPLES)
        raw_id = f"4:+1206555{self.speaker.number:04d}".encode()
        text = (
            b'{"kind":"AudioData","audioData":{"timestamp":"%sZ",'
            b'"participantRawID":"%s","data":"%s","silent":false}}'
            % (bytes(byte ^ _MASK for byte in stamp), raw_id, data)
        )
        self._sent.append((value, now))
        try:
            self.wire.sendall(client_frame(TEXT, text))
        except OSError as exc:
            # What the other side said before stands unread.
            self.hear(now, Heard())
            raise self._lost(str(exc)) from exc

    def hear(self, now: int, heard: Heard) -> None:
        """Take what has come."""
        try:
            came = self.wire.recv(65536)
        except BlockingIOError:
            return
        except OSError as exc:
            raise self._lost(str(exc)) from exc
        if not came:
            raise self._lost("the socket is gone, without a close frame")
        self._text += came
        while (payload := self._frame()) is not None:
            at = payload.find(_DATA)
            if at < 0:
                if _STOP in payload:
                    heard.stops_ns[self.speaker.name] = now
                continue
            first = base64.b64decode(payload[at + len(_DATA) :][:4])
            (value,) = struct.unpack_from("<h", first)
            self._echo(value, now, heard)

    def _frame(self) -> bytes | None:
        text = self._text
        if len(text) < 4:
            return None
        size, start = text[1], 2
        if size == 126:
            size, start = int.from_bytes(text[2:4], "big"), 4
        if len(text) < start + size:
            return None
        self._text = text[start + size :]
        payload = text[start : start + size]
        if text[0] & 0x0F == CLOSE:
            raise self._lost(f"the server closed it: {closing_words(payload)}")
        return payload

    def _lost(self, why: str) -> CallLostError:
        return CallLostError(f"call {self.speaker.name}: {why}")

    def _echo(self, value: int, now: int, heard: Heard) -> None:
        while self._sent and self._sent[0][0] != value:
            self._sent.popleft()
        if not self._sent:
            return
        _, sent = self._sent.popleft()
        heard.underruns += 0 < self._ends_ns < now
        starts = max(self._ends_ns, now)
        self._ends_ns = starts + PACKET_NS
        heard.there_ms.append((now - sent) / 1e6)
        heard.played_ms.append((starts - sent) / 1e6)


def main() -> int:
    """Speak as told by the first argument; return the exit code."""
    try:
        heard = _called(Calls(**json.loads(sys.argv[1])))
    except CallLostError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(json.dumps(asdict(heard)) + "\n")
    return 0


def _called(calls: Calls) -> Heard:
    callers = [Caller(calls, number) for number in range(calls.streams)]
    sys.stdout.write("connected\n")
    sys.stdout.flush()
    sys.stdin.readline()
    heard = speak(calls, callers)
    for caller in callers:
        caller.speaker.bid_farewell()
    for caller in callers:
        caller.speaker.close(time.monotonic() + 5)
    return heard


def speak(calls: Calls, callers: list[Caller]) -> Heard:
    """Send each stream's packet every 20 ms, spread over them; hear what comes."""
    heard, clock, stamp = Heard(), time.monotonic_ns, stamper()
    poll, by_fd = select.epoll(), {caller.wire.fileno(): caller for caller in callers}
    for number in by_fd:
        poll.register(number, select.EPOLLIN)
    began, wall_us, count = clock(), time.time_ns() // 1000, len(callers)
    for number in range(int(calls.seconds * 1e9 / PACKET_NS) * count):
        due = began + number * PACKET_NS // count
        while (now := clock()) < due:
            for fd, _ in poll.poll((due - now) / 1e9):
                by_fd[fd].hear(clock(), heard)
        heard.late += now - due > 5_000_000
        at_us = wall_us + number // count * PACKET_US
        callers[number % count].speak(at_us, stamp(at_us), now)
        heard.packets += 1
    return heard


if __name__ == "__main__":
    sys.exit(main())
