"""Ingest processes, an emulator in real time, and what is said between the two."""

import asyncio
import hashlib
import io
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import numpy as np
import pytest
import soundfile
from redis import Redis

from calls import identity
from calls.audio.ledger import Ledger
from calls.live import speaking
from tests.alarms.conftest import app, build, client, make_bench, migrated, speech
from tests.emulator.conftest import Bench, MakeBench
from tests.streaming.conftest import on_daphne
from tests.streaming.house import House, eventually

__all__ = ["app", "build", "client", "make_bench", "migrated", "on_daphne", "speech"]

RATE = 16_000


def noise(seconds: float, seed: int = 1, rate: int = RATE) -> bytes:
    """Return audio of which no 20 ms are like any other."""
    samples = np.random.default_rng(seed).integers(
        -8000, 8000, round(seconds * rate), np.int16
    )
    return samples.astype("<i2").tobytes()


def sha256(pcm: bytes) -> str:
    return hashlib.sha256(pcm).hexdigest()


@dataclass
class Stage:
    """One call of the emulator on a real ingest process, and who speaks into it."""

    house: House
    bench: Bench
    redis: Redis
    call: Any

    @property
    def call_id(self) -> UUID:
        return identity.call_id(self.call["call_connection_id"])

    def prompt(self, pcm: bytes, rate: int = RATE) -> dict[int, str]:
        """Put a prompt into storage; return its names."""
        name = f"prompts/{uuid4()}.flac"
        path = self.house.folder / "recordings" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, np.frombuffer(pcm, "<i2"), rate, "PCM_16")
        return {rate: name}

    def tell(self, spoken: speaking.Spoken) -> None:
        self.redis.publish(speaking.SPEAK, speaking.encode(spoken))

    def play(self, pcm: bytes, **more: Any) -> UUID:
        """Order a prompt; return the order's key."""
        command = uuid4()
        order = speaking.PlayPrompt(
            call=str(self.call_id),
            command=str(command),
            prompt=str(uuid4()),
            name="welcome",
            audio=self.prompt(pcm),
        )
        self.tell(msgspec.structs.replace(order, **more))
        return command

    def stop(self) -> UUID:
        command = uuid4()
        order = speaking.StopAudio(
            call=str(self.call_id), command=str(command), name="somebody"
        )
        self.tell(order)
        return command

    async def outbound(self) -> Any:
        """Return what the emulator has heard so far."""
        return (await self.bench.report(self.call))["outbound"]

    async def until_heard(self, seconds: float) -> Any:
        """Wait until so much was heard."""
        while True:
            report = await self.outbound()
            if report["played_packets"] * 0.02 >= seconds - 0.001:
                return report
            await asyncio.sleep(0.05)

    async def heard(self, last: bytes) -> list[bytes]:
        """Return what the call heard, once it has heard `last`, cut at pauses."""
        while True:
            pieces = await self._pieces()
            if last in pieces[-1]:
                return pieces
            await asyncio.sleep(0.05)

    async def _pieces(self) -> list[bytes]:
        url = f"{self.bench.emulator.url}/emulator/calls/{self.call['id']}/heard.wav"
        async with self.bench.session.get(url) as response:
            content = io.BytesIO(await response.read())
        samples, _ = soundfile.read(content, dtype="int16")
        pcm = np.asarray(samples).astype("<i2").tobytes()
        told = (await self.outbound())["utterances"]
        starts = [(each["at_ms"] - told[0]["at_ms"]) * 32 for each in told]
        return [
            pcm[start : start + each["ms"] * 32]
            for start, each in zip(starts, told, strict=True)
        ]

    def states(self) -> list[str]:
        """Return how far each utterance is, in order."""
        rows = self.house.rows("select state from calls_utterance order by queued_at")
        return [row["state"] for row in rows]

    async def hang_up(self) -> Any:
        return await self.bench.post(f"/emulator/calls/{self.call['id']}/hangup")

    async def act(self, what: str, **how: Any) -> Any:
        path = f"/emulator/calls/{self.call['id']}/{what}"
        return await self.bench.post(path, **how)

    def archived(self) -> tuple[list[bytes], dict[str, Any]]:
        """Return our own side as it is kept, pauses left out, and its row."""
        query = (
            "select r.audio, t.* from calls_recording r"
            " join calls_track t on t.id = r.track_id"
            " join calls_participant p on p.id = t.participant_id"
            " where p.raw_id = 'us'"
        )
        [row] = self.house.rows(query)
        path: Path = self.house.folder / "recordings" / row["audio"]
        samples, _ = soundfile.read(path, dtype="int16")
        pcm = np.asarray(samples).astype("<i2").tobytes()
        runs = Ledger.from_json(json.loads(row["ledger"])).talk_runs()
        return [pcm[start * 2 : end * 2] for start, end in runs], row


MakeStage = Callable[..., Awaitable[Stage]]


@pytest.fixture
async def make_stage(
    build: Callable[..., House], make_bench: MakeBench, redis_url: str
) -> Any:
    async def make(
        *, house: House | None = None, bidirectional: bool = True, **plan: Any
    ) -> Stage:
        house = house or build(REDIS_URL=redis_url).start()
        bench = await make_bench(speed=1.0)
        url = f"ws://127.0.0.1:{house.port}/media/anything"
        call = await bench.ring(**{"duration": 600, **plan})
        media = bench.media(enable_bidirectional=bidirectional)
        media.transport_url = url
        answer = await bench.client.answer_call(
            call["incoming_call_context"],
            bench.app.url + "/callbacks",
            media_streaming=media,
        )
        call["call_connection_id"] = answer.call_connection_id
        stage = Stage(house, bench, Redis.from_url(redis_url), call)
        await eventually(
            lambda: house.rows("select * from calls_connection where packets > 0")
        )
        return stage

    return make
