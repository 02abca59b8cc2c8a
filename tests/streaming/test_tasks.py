"""What runs beside a socket ends when it shall, and ends the socket when it fails."""

import asyncio
from contextlib import suppress

import pytest

from streaming import tasks
from streaming.tasks import OUR_FAULT, endings, tasks_end, to_the_end, watched
from tests.streaming.house import PATIENCE


async def for_ever() -> None:
    await asyncio.Event().wait()


async def deaf_once() -> None:
    """Swallow one cancellation, as `asyncio.wait_for` may before Python 3.12."""
    with suppress(asyncio.CancelledError):
        await for_ever()
    await for_ever()


async def falls() -> None:
    raise ValueError


async def test_tasks_end_that_swallow_a_cancellation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.01)
    begun = [asyncio.create_task(work()) for work in (for_ever, deaf_once, falls)]
    await asyncio.sleep(0)

    async with asyncio.timeout(PATIENCE):
        await tasks_end(*begun, None)

    assert [task.done() for task in begun] == [True, True, True]


async def test_a_task_that_ends_others_goes_on_itself() -> None:
    other = asyncio.create_task(for_ever())

    async with asyncio.timeout(PATIENCE):
        await tasks_end(other, asyncio.current_task())

    assert other.cancelled()


async def test_what_goes_to_its_end_does_so_though_nobody_waits_for_it() -> None:
    begun, may_end, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    @to_the_end
    async def let_go() -> None:
        begun.set()
        await may_end.wait()
        ended.set()

    asking = asyncio.create_task(let_go())
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        asking.cancel()
        await asyncio.wait({asking})
        may_end.set()
        await ended.wait()

    assert asking.cancelled()


async def test_who_ends_waits_for_what_goes_to_its_end_but_not_for_ever() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    @to_the_end
    async def let_go() -> None:
        begun.set()
        await asyncio.sleep(0)
        await endings_asked.wait()
        ended.set()

    endings_asked = asyncio.Event()
    asking = asyncio.create_task(let_go())
    async with asyncio.timeout(PATIENCE):
        await begun.wait()
        asking.cancel()
        await endings(0.01)
        assert not ended.is_set()
        asyncio.get_running_loop().call_soon(endings_asked.set)
        await endings(PATIENCE)

    assert ended.is_set()


async def test_a_watch_that_fails_closes_its_socket() -> None:
    codes = []

    async def close(code: int) -> None:
        codes.append(code)

    await watched(falls, close, "a watch")

    assert codes == [OUR_FAULT]
