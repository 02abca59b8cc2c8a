"""A prompt's audio out of storage: read once for all, and not for ever."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from streaming.outbound import prompts
from streaming.outbound.prompts import PromptError, prompt_pcm
from tests.streaming.house import eventually

RATE = 16_000


class Storage:
    """Reads what it is asked for once it is let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.is_let = threading.Event()

    def read(self, name: str, _: int) -> bytes:
        self.asked.append(name)
        self.is_let.wait(30)
        return name.encode()


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Storage]:
    slow = Storage()
    monkeypatch.setattr(prompts, "_read", slow.read)
    yield slow
    slow.is_let.set()


@pytest.fixture
def wanted() -> Callable[[], "asyncio.Task[bytes]"]:
    audio = {RATE: str(uuid4())}
    return lambda: asyncio.create_task(prompt_pcm(audio, RATE))


async def test_a_prompt_that_many_calls_want_is_read_once(
    storage: Storage, wanted: Callable[[], "asyncio.Task[bytes]"]
) -> None:
    # All readers have something else to do.
    before = [
        asyncio.create_task(prompt_pcm({RATE: str(uuid4())}, RATE)) for _ in range(2)
    ]
    await eventually(lambda: len(storage.asked) == 2)

    first, *others = [wanted() for _ in range(50)]
    await asyncio.sleep(0)
    # Who wants it no more takes it from nobody.
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    storage.is_let.set()
    [name] = set(await asyncio.gather(*others))
    await asyncio.gather(*before)

    assert storage.asked[2:] == [name.decode()]


async def test_storage_that_does_not_answer_holds_up_what_is_said_no_longer(
    storage: Storage,
    wanted: Callable[[], "asyncio.Task[bytes]"],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(prompts, "SLOWEST_SECONDS", 0.05)

    with pytest.raises(PromptError, match=r"not read within 0\.05 s"):
        await wanted()
