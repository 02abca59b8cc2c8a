"""A key that is pressed while the call runs."""

from collections.abc import Callable
from uuid import uuid4

import aiohttp

from tests.streaming.house import House, eventually
from tests.streaming.wire import ALICE, audio, dtmf, metadata


async def test_is_a_row_while_the_socket_is_open_and_in_no_log(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build("house").start()
    ws = await house.dial(client, uuid4())
    for frame in (metadata(), audio(0), dtmf("asterisk"), audio(1)):
        await ws.send_str(frame)

    [row] = await eventually(lambda: house.rows("select * from calls_tone"))

    assert (row["tone"], row["raw_id"], row["is_stamped"]) == ("*", ALICE, 0)
    assert house.rows("select 1 from calls_connection where closed_at is null")
    await ws.close()
    house.end()
    assert "asterisk" not in house.log.read_text()
