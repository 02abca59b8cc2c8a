"""What a process knows of its own load, and when it takes no more."""

import asyncio
import time
from collections.abc import Callable
from uuid import uuid4

import aiohttp
import pytest

from streaming.capacity import (
    LATE,
    TARGET,
    TELLING_STREAMS,
    WINDOW,
    Capacity,
    LoopLag,
)
from tests.streaming.house import House, closing, eventually

GB = 1_000_000_000


def ticked(
    capacity: Capacity,
    *,
    streams: int,
    cpu: float,
    rate: int = 0,
    free: int = GB,
    others: float = 0.0,
) -> Capacity:
    """A capacity after `WINDOW` seconds at `cpu` cores and `rate` bytes a second."""
    for second in range(WINDOW + 1):
        capacity.tick(
            100.0 + second,
            cpu=5.0 + cpu * second,
            written=rate * second,
            free=free,
            streams=streams,
            others=others,
        )
    return capacity


def test_estimates_from_what_its_streams_cost() -> None:
    capacity = ticked(Capacity(0), streams=100, cpu=0.1)

    assert capacity.cpu == pytest.approx(0.1)
    assert capacity.estimate == pytest.approx(TARGET / 0.001, abs=1)


def test_few_streams_say_nothing_of_many() -> None:
    before = Capacity(0)
    told = before.estimate

    ticked(before, streams=3, cpu=0.3)

    assert before.estimate == told
    # From decoding alone: any machine this runs on holds some dozens.
    assert told > 20


def test_streams_that_come_and_go_at_once_do_not_count_as_dear() -> None:
    capacity = ticked(Capacity(0), streams=100, cpu=0.3)

    # The hundred have gone, and others are on their way: what those used is still
    # fresh, and opening and closing has used more.
    for second, streams in enumerate((30, 0, 0, 25, 60, 100), start=WINDOW + 1):
        used = 5.0 + 0.4 * second
        capacity.tick(100.0 + second, cpu=used, written=0, free=GB, streams=streams)

        assert capacity.estimate == 250


def test_an_estimate_that_was_far_too_low_is_corrected_while_few_are_taken() -> None:
    capacity = ticked(Capacity(0), streams=20, cpu=1.0)
    taken = capacity.estimate
    assert taken < TELLING_STREAMS

    for second in range(1, 2 * WINDOW):
        at, used = 100.0 + WINDOW + second, 5.0 + WINDOW + 0.003 * taken * second
        capacity.tick(at, cpu=used, written=0, free=GB, streams=taken)

    assert capacity.estimate > TELLING_STREAMS


def test_takes_streams_up_to_its_estimate() -> None:
    capacity = ticked(Capacity(0), streams=100, cpu=0.5)

    assert capacity.limit == 150
    assert capacity.refusal(149) is None
    assert capacity.refusal(150) == "150 streams are open, what this process can hold"


def test_a_limit_that_was_set_holds_whatever_the_estimate() -> None:
    capacity = ticked(Capacity(7), streams=100, cpu=0.01)

    assert capacity.estimate > 7
    assert capacity.refusal(6) is None
    assert capacity.refusal(7) == "7 streams are open, the limit"


def test_says_for_how_many_days_the_disk_lasts() -> None:
    capacity = ticked(Capacity(0), streams=1, cpu=0.1, rate=1_000_000, free=864 * GB)

    assert capacity.bytes_per_second == pytest.approx(1_000_000)
    assert capacity.disk_days == pytest.approx(10)


def test_shares_its_disk_with_the_processes_beside_it() -> None:
    capacity = ticked(
        Capacity(0), streams=1, cpu=0.1, rate=1_000_000, free=864 * GB, others=3e6
    )

    assert capacity.disk_days == pytest.approx(2.5)
    assert capacity.load(1, None)["disk_bytes_per_second"] == pytest.approx(1_000_000)


def test_knows_no_days_while_nothing_is_written() -> None:
    assert ticked(Capacity(0), streams=0, cpu=0.0).disk_days is None


@pytest.mark.parametrize(
    ("streams", "refuses", "state"),
    [(84, None, "ok"), (85, None, "near"), (100, "it is full", "full")],
)
def test_tells_its_state(streams: int, refuses: str | None, state: str) -> None:
    load = Capacity(100).load(streams, refuses)

    assert (load["state"], load["reason"]) == (state, refuses or "")
    assert load["limit"] == 100


async def test_a_loop_that_is_held_up_is_late_and_takes_no_more() -> None:
    capacity = Capacity(0)
    capacity.lag.start()
    assert capacity.refusal(0) is None

    while not capacity.lag.is_telling:
        # One that has just begun was held up by its beginning.
        assert capacity.refusal(0) is None
        time.sleep(1.5 * LATE)  # noqa: ASYNC251 holding up the loop is the point
        await asyncio.sleep(0)
    capacity.lag.stop()

    assert capacity.lag.quantile(0.5) > LATE
    assert "event loop" in (capacity.refusal(0) or "")


def test_no_samples_are_no_lag() -> None:
    assert LoopLag().quantile(0.99) == 0.0


async def test_tells_its_load_and_turns_away_what_is_too_much(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build(ACSSTREAM_MAX_STREAMS="1").start()
    assert house.get("/readyz")[0] == 200
    first = await house.dial(client, uuid4())
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 1)

    second = await house.dial(client, uuid4())

    assert await closing(second) == 1013
    status, facts = house.get("/readyz")
    assert (status, facts["refuses"]) == (503, "1 streams are open, the limit")
    load = facts["load"]
    assert (load["state"], load["limit"]) == ("full", 1)
    assert load["estimate"] > 20
    await eventually(lambda: house.get("/healthz")[1]["load"]["disk_free_bytes"] > 0)
    await eventually(
        lambda: "no further media socket is taken" in house.log.read_text()
    )
    await first.close()
    await eventually(lambda: house.get("/readyz")[0] == 200)
    await eventually(lambda: "media sockets are taken again" in house.log.read_text())
