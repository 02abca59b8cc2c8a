"""How exactly our own side is kept where the call heard it.

    python -m benchmarks.our_side --calls 5 --busy 0

A real ingest process and the emulator, each a process of its own. Some calls are played
prompts of noise at odd moments, others hear their own echo. The emulator knows to the
sample what it played, and when by its capture clock; the archive says what we say of
it. Printed is how far the two are apart, for each 20 ms that were heard.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import numpy as np
import soundfile
from azure.communication.callautomation import (
    AudioFormat,
    MediaStreamingAudioChannelType,
    MediaStreamingContentType,
    MediaStreamingOptions,
    StreamingTransportType,
)
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.credentials import AzureKeyCredential
from redis import Redis

from benchmarks.servers.house import (
    DATABASE,
    ROOT,
    SERVERS,
    Running,
    ingest_environment,
    inherited,
    running,
)
from calls.doors.capability import call_secret
from calls.live.speaking import SPEAK, PlayPrompt, encode

# The secret in a media URL is the house's.
os.environ |= ingest_environment(Path(tempfile.gettempdir()))

RATE, FRAME = 16_000, 640
# So far from where it was heard a frame is looked for.
FAR_MS = 400
# A frame with fewer kinds of byte is silence.
SILENT = 20
MAKE_CALLS = """
from calls.models import Call, StreamingProfile
for call, handler in {calls}:
    profile = StreamingProfile.objects.create(
        name=call, bidirectional=True, handler=handler)
    Call.objects.create(id=call, profile=profile, state="connected",
        connection_id=call, desired_streaming=True)
"""
KEPT = """
    select r.audio, t.origin_us from calls_recording r
    join calls_track t on t.id = r.track_id
    join calls_participant p on p.id = t.participant_id
    where p.raw_id = 'us' and t.call_id = ?
"""


@dataclass(frozen=True, slots=True)
class Emulated:
    """The emulator as a process."""

    url: str
    http: aiohttp.ClientSession
    sdk: CallAutomationClient

    async def ask(self, path: str, **body: Any) -> Any:
        """Have something done, or be told of it."""
        method = "POST" if body or path.endswith(("calls", "hangup")) else "GET"
        async with self.http.request(
            method, f"{self.url}/emulator/{path}", json=body or None
        ) as answer:
            answer.raise_for_status()
            is_json = answer.content_type == "application/json"
            return await (answer.json() if is_json else answer.read())


@contextmanager
def emulator_process() -> Iterator[dict[str, Any]]:
    """Run the emulator in real time; yield what it says of itself."""
    with subprocess.Popen(
        [sys.executable, "-m", "emulator", "--json", "--port", "0"],
        cwd=ROOT,
        env=inherited(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            if process.stdout is None:
                raise AssertionError("it was started with a pipe")
            yield json.loads(process.stdout.readline())
        finally:
            process.terminate()


@asynccontextmanager
async def emulated(facts: dict[str, Any]) -> AsyncIterator[Emulated]:
    """Talk to a running emulator."""
    key = AzureKeyCredential(facts["access_key"])
    async with (
        aiohttp.ClientSession() as http,
        CallAutomationClient(facts["url"], key) as sdk,
    ):
        yield Emulated(facts["url"], http, sdk)


@dataclass(frozen=True, slots=True)
class Held:
    """A call that was held: the emulator's report, and all that was heard, as WAV."""

    call_id: UUID
    report: Any
    heard: bytes


async def hold(
    house: Running, emulator: Emulated, call_id: UUID, handler: str, seconds: float
) -> Held:
    """Hold one call."""
    ringing = await emulator.ask("calls", duration=600)
    await emulator.sdk.answer_call(
        ringing["incoming_call_context"],
        "http://127.0.0.1:9/callbacks",
        media_streaming=MediaStreamingOptions(
            transport_url=f"ws://127.0.0.1:{house.port}/media/{call_secret(call_id)}",
            transport_type=StreamingTransportType.WEBSOCKET,
            content_type=MediaStreamingContentType.AUDIO,
            audio_channel_type=MediaStreamingAudioChannelType.UNMIXED,
            start_media_streaming=True,
            audio_format=AudioFormat.PCM16_K_MONO,
            enable_bidirectional=True,
        ),
    )
    if handler:
        await asyncio.sleep(seconds)
    else:
        await _play(house, call_id, seconds)
    name = ringing["id"]
    report = await emulator.ask(f"calls/{name}/hangup")
    return Held(call_id, report, await emulator.ask(f"calls/{name}/heard.wav"))


async def _play(house: Running, call_id: UUID, seconds: float) -> None:
    """Play prompts of noise, with pauses of any length between them."""
    chance = random.Random(str(call_id))  # noqa: S311 no secret
    folder = house.folder / "recordings" / "prompts"
    folder.mkdir(parents=True, exist_ok=True)
    end = asyncio.get_running_loop().time() + seconds
    with Redis.from_url(house.redis_url) as redis:
        while asyncio.get_running_loop().time() < end:
            await asyncio.sleep(chance.uniform(0.4, 1.4))
            name = f"prompts/{uuid4()}.flac"
            noise = np.random.default_rng(chance.getrandbits(32))
            samples = noise.integers(-8000, 8000, RATE // 5, np.int16)
            soundfile.write(house.folder / "recordings" / name, samples, RATE, "PCM_16")
            order = PlayPrompt(
                call=str(call_id),
                command=str(uuid4()),
                prompt=str(uuid4()),
                name="noise",
                audio={RATE: name},
            )
            redis.publish(SPEAK, encode(order))
    await asyncio.sleep(1)


def _manage(house: Running, *words: str) -> str:
    done = subprocess.run(  # noqa: S603 our own program
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env=inherited() | ingest_environment(house.folder),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


def _errors(house: Running, held: Held) -> Iterator[float]:
    """Yield ms for each frame that was heard, by which the archive has it too late."""
    kept, origin_us = _kept(house, held.call_id)
    told, began_us = held.report["outbound"]["utterances"], held.report["began_us"]
    played = _samples(held.heard)
    for each in told:
        for at_ms in range(each["at_ms"], each["at_ms"] + each["ms"], 20):
            start = (at_ms - told[0]["at_ms"]) * RATE // 500
            frame = played[start : start + FRAME]
            if len(set(frame)) < SILENT:
                # Silence is everywhere.
                continue
            expected = (began_us + at_ms * 1000 - origin_us) * RATE // 500_000
            found = _nearest(kept, frame, expected)
            yield float("inf") if found is None else (found - expected) * 500 / RATE


def _nearest(kept: bytes, frame: bytes, expected: int) -> int | None:
    """Return where the frame lies that is nearest to there, in bytes."""
    far = FAR_MS * RATE // 500
    begin, found = max(expected - far, 0), []
    while (at := kept.find(frame, begin, expected + far + FRAME)) >= 0:
        found.append(at)
        begin = at + 2
    return min(found, key=lambda at: abs(at - expected), default=None)


def _kept(house: Running, call_id: UUID) -> tuple[bytes, int]:
    with closing(sqlite3.connect(house.folder / DATABASE)) as database:
        [(name, origin_us)] = database.execute(KEPT, [call_id.hex]).fetchall()
    return _samples((house.folder / "recordings" / name).read_bytes()), origin_us


def _samples(file: bytes) -> bytes:
    with tempfile.SpooledTemporaryFile() as opened:
        opened.write(file)
        opened.seek(0)
        samples, _ = soundfile.read(opened, dtype="int16")
    return np.asarray(samples).astype("<i2").tobytes()


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Have other processes burn CPU meanwhile."""
    burning = [
        subprocess.Popen([sys.executable, "-c", "while True: pass"])
        for _ in range(processes)
    ]
    try:
        yield
    finally:
        for one in burning:
            one.kill()
            one.wait()


async def measure(calls: int, seconds: float) -> dict[str, list[float]]:
    """Return the errors of prompts and of echoes."""
    kinds = [(uuid4(), handler) for handler in ("", "echo") for _ in range(calls)]
    errors: dict[str, list[float]] = {}
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        running(SERVERS["ours"], Path(folder), set()) as house,
        emulator_process() as facts,
    ):
        rows = [(str(call_id), handler) for call_id, handler in kinds]
        _manage(house, "shell", "--no-imports", "-c", MAKE_CALLS.format(calls=rows))
        async with emulated(facts) as emulator:
            held = await asyncio.gather(
                *(hold(house, emulator, *kind, seconds) for kind in kinds)
            )
        _manage(house, "recover")
        for (_, handler), each in zip(kinds, held, strict=True):
            errors.setdefault(handler or "prompts", []).extend(_errors(house, each))
    return errors


def main() -> int:
    """Print how the errors are spread."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--calls", type=int, default=5, help="of each kind")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each call")
    parser.add_argument("--busy", type=int, default=0, help="processes burning CPU")
    options = parser.parse_args()
    with busy(options.busy):
        errors = asyncio.run(measure(options.calls, options.seconds))
    heads = ("frames", "exact %", "p50 ms", "p95 ms", "worst ms", "missing")
    sys.stdout.write(f"{'':<10}" + "".join(f"{head:>10}" for head in heads) + "\n")
    for what, each in errors.items():
        away = sorted(abs(one) for one in each if one != float("inf"))
        line = [len(each), 100 * sum(one == 0 for one in each) / len(each)]
        line += [away[int(share * (len(away) - 1))] for share in (0.5, 0.95, 1)]
        line.append(len(each) - len(away))
        sys.stdout.write(f"{what:<10}" + "".join(f"{one:>10.1f}" for one in line))
        sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
