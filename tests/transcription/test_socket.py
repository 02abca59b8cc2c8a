"""The transcription socket of a real ingest process, with a real Redis."""

import json
from collections.abc import Callable
from uuid import UUID, uuid4

import aiohttp
from redis import Redis

from calls.journals.reading import Kind, read
from calls.transcripts.wire import Caption, channel, decode, last_key
from tests.streaming.house import House, eventually
from tests.streaming.wire import ALICE
from tests.transcription.wire import metadata, said


async def dial(
    house: House, client: aiohttp.ClientSession, call_id: UUID
) -> aiohttp.ClientWebSocketResponse:
    url = house.url(call_id).replace("/media/", "/transcription/")
    return await client.ws_connect(url)


async def test_makes_rows_and_live_captions_of_what_is_said(
    build: Callable[..., House], client: aiohttp.ClientSession, redis_url: str
) -> None:
    call_id = uuid4()
    house = build("house", REDIS_URL=redis_url).start()
    with Redis.from_url(redis_url) as redis, redis.pubsub() as told:
        told.subscribe(channel(call_id))
        ws = await dial(house, client, call_id)
        for frame in (
            metadata(),
            said("good", 0.1, 0.4, status="intermediate"),
            said("Good morning.", 0.1, 0.9),
        ):
            await ws.send_str(frame)

        [row] = await eventually(
            lambda: house.rows("select * from calls_transcriptsegment")
        )
        captions: list[Caption] = []

        def heard() -> bool:
            if message := told.get_message(ignore_subscribe_messages=True):
                caption = decode(message["data"])
                assert caption
                captions.append(caption)
            return any(caption.is_final for caption in captions)

        await eventually(heard)
        kept = redis.lrange(last_key(call_id), 0, -1)

    assert (row["text"], row["raw_id"], row["source"]) == (
        "Good morning.",
        ALICE,
        "acs",
    )
    assert json.loads(row["raw"]) == {"offset": "1000000", "duration": "9000000"}
    assert captions[-1].text == "Good morning."
    assert captions[-1].id.hex == row["id"]
    assert kept == [told_last := kept[0]]
    assert decode(told_last) == captions[-1]


async def test_is_a_socket_of_its_own_kind_that_claims_no_streaming(
    build: Callable[..., House], client: aiohttp.ClientSession
) -> None:
    house = build("house").start()
    ws = await dial(house, client, uuid4())
    frames = [
        metadata(),
        said("Secret words.", 1),
        "not JSON",
        '{"kind":"New"}',
        json.dumps({"kind": "AudioData", "audioData": {"data": "AAAA"}}),
    ]
    for frame in frames:
        await ws.send_str(frame)
    await eventually(lambda: house.rows("select 1 from calls_transcriptsegment"))
    await ws.close()

    [socket] = await eventually(
        lambda: house.rows("select * from calls_connection where closed_at is not null")
    )

    assert (socket["kind"], socket["messages"]) == ("transcription", 5)
    assert (socket["malformed"], socket["unknown"], socket["packets"]) == (2, 1, 0)
    [call] = house.rows("select * from calls_call")
    assert (call["streaming_state"], call["has_transcript"]) == ("off", 1)
    [path] = house.journals
    with read(path) as journal:
        assert journal.header.socket == "transcription"
        kept = [record.text for record in journal.records() if record.kind < Kind.NOTE]
    assert kept == frames
    house.end()
    assert "Secret" not in house.log.read_text()
