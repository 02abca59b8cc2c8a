"""Fifty calls, and ingest dies of a kill -9 or is told to go."""

import asyncio
import signal
from collections.abc import Callable, Sequence

from tests.faults.archive import assert_archive_is_clean, broken, losses
from tests.faults.line import Line, kept_up, lines_to, sent, streaming
from tests.faults.relay import relay
from tests.streaming.house import ENDED, House, eventually

STREAMS = 50
# A second of one speaker: the promise for kill -9.
MOST_LOST = 50


async def interrupted(house: House, lines: Sequence[Line], how: signal.Signals) -> int:
    """Stream calls; meanwhile ingest ends and is started again. Returns its status."""
    house.start()
    async with streaming(lines):
        await sent(lines, 100)
        if how == signal.SIGKILL:
            await kept_up(house, lines)
        house.tell(how)
        status = await asyncio.to_thread(house.ended)
        await asyncio.to_thread(house.start)
        await eventually(lambda: all(len(line.legs) > 1 for line in lines))
        await sent(lines, 50)
    await eventually(lambda: house.get("/healthz")[1]["streams"] == 0)
    house.end()
    return status


async def test_a_kill_under_fifty_streams_costs_each_track_less_than_a_second(
    build: Callable[..., House],
) -> None:
    house = build()
    lines = lines_to(house.port, STREAMS)

    await interrupted(house, lines, signal.SIGKILL)
    recovered = house.recover()

    assert {done["call"] for done in recovered} == {str(line.call_id) for line in lines}
    lost = losses(house, lines)
    assert {loss.leg for loss in lost} <= {0}
    assert max((loss.packets for loss in lost), default=0) <= MOST_LOST
    assert all(broken(line.legs[0]) for line in lines)
    assert [(row["torn"], row["sockets"]) for row in sockets(house)] == [
        (STREAMS, STREAMS * 2)
    ]
    assert_archive_is_clean(house)


def sockets(house: House) -> list[dict[str, int]]:
    """Count sockets, and those that say that their process did not live to seal."""
    return house.rows(
        "select count(*) as sockets, sum(case when close_code is null and"
        " (close_reason like '%sealing%' or close_reason like '%cut off%')"
        " then 1 else 0 end) as torn from calls_connection"
    )


async def test_an_ordered_end_under_fifty_streams_loses_nothing(
    build: Callable[..., House],
) -> None:
    house = build()
    lines = lines_to(house.port, STREAMS)

    status = await interrupted(house, lines, signal.SIGTERM)
    recovered = house.recover()

    assert status in ENDED
    assert [line.legs[0].code for line in lines] == [1012] * STREAMS
    assert {done["call"] for done in recovered} == {str(line.call_id) for line in lines}
    assert losses(house, lines) == []
    rows = house.rows("select close_code from calls_connection order by close_code")
    assert [row["close_code"] for row in rows] == [1000] * STREAMS + [1012] * STREAMS
    assert_archive_is_clean(house)


async def test_an_ordered_end_keeps_what_was_on_its_way(
    build: Callable[..., House],
) -> None:
    """RFC 6455, 5.5.1: a peer may send until it has read the close frame."""
    house = build()
    async with relay(house.port, 0.1) as port:
        lines = lines_to(port, 5)
        await interrupted(house, lines, signal.SIGTERM)

    house.recover()

    assert losses(house, lines) == []
    assert [line.legs[0].code for line in lines] == [1012] * 5
    assert_archive_is_clean(house)
