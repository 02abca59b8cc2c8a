"""What an ingest process does with orders while its call has no socket here."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from django.test import override_settings

from calls.live.speaking import PlayPrompt, Spoken, StopAudio, Talk, encode, speak
from streaming.ingest import MediaSession
from streaming.outbound import ItemKind
from streaming.outbound.desk import SpeakingDesk
from streaming.outbound.voice import SpeechNews
from streaming.protocol import US
from tests.streaming.desk import Desk
from tests.streaming.house import eventually
from tests.streaming.wire import RATE, metadata

FRAME = b"\1" * 640


class Table:
    """A call that may be spoken into, and the desk that is told what to say."""

    def __init__(self, folder: Path) -> None:
        self.speech_news = SpeechNews()
        self.desk = Desk(folder)
        self.call = self.desk.call
        self.call.may_speak = True
        self.call.now(datetime.now(UTC), time.monotonic())
        self.speaking = SpeakingDesk({self.call.call_id: self.call}, self.speech_news)

    def open(self) -> MediaSession:
        session = self.desk.socket()
        session.speech_news = self.speech_news
        session.send = lambda text: True
        session.take(metadata(), 0)
        return session

    def close(self, session: MediaSession) -> None:
        session.close(1000, "", datetime.now(UTC))

    def tell(self, spoken: Spoken) -> None:
        self.speaking._take(encode(spoken))

    def order(self) -> PlayPrompt:
        return PlayPrompt(
            call=str(self.call.call_id),
            command=str(uuid4()),
            prompt=str(uuid4()),
            name="welcome",
            audio={},
        )

    def play(self) -> None:
        self.tell(self.order())

    def states(self) -> list[str]:
        return [said.state for said in self.speech_news.utterances.values()]


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Table]:
    made = Table(tmp_path)
    with made.desk:
        yield made
        await made.speaking.stop()


async def test_an_order_without_a_socket_is_held_until_acs_dials_anew(
    table: Table,
) -> None:
    table.close(table.open())

    table.play()
    assert not table.states()
    stop = StopAudio(call=str(table.call.call_id), command=str(uuid4()), name="ann")
    table.tell(stop)
    assert not table.speech_news.outcomes
    table.open()

    # In the order in which they came.
    assert table.states() == ["stopped"]
    [words] = {one.words for one in table.speech_news.outcomes.values() if one.is_done}
    assert words == "welcome was not begun"


async def test_a_held_order_that_another_process_began_is_not_done_again(
    table: Table, tmp_path: Path, redis_url: str
) -> None:
    there = Table(tmp_path / "there")
    there.speaking = SpeakingDesk({table.call.call_id: there.call}, there.speech_news)

    async def ordered(process: Table) -> None:
        """Order prompts until a process knows of one: it may just begin to listen."""
        async with asyncio.timeout(60):
            while not process.speaking._known:
                speak(table.order())
                await asyncio.sleep(0.05)

    # Its socket has closed here, and ACS has dialled there.
    table.close(table.open())
    with there.desk, override_settings(REDIS_URL=redis_url):
        there.open()
        there.speaking.start()
        await ordered(there)
        table.speaking.start()
        await ordered(table)
        assert table.call.held
        here, taken = table.speaking._known, table.speaking._taken
        await eventually(lambda: set(here) <= set(taken))
        await there.speaking.stop()
    table.open()

    assert there.states()
    assert not table.states()


async def test_an_order_for_which_no_socket_came_in_time_is_dropped_without_a_word(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    table.close(table.open())
    table.play()

    late = time.monotonic() + 11
    monkeypatch.setattr(time, "monotonic", lambda: late)
    table.open()

    assert not table.states()
    assert not table.speech_news.outcomes


async def test_what_was_heard_before_a_change_of_rate_is_kept_at_the_old_one(
    table: Table,
) -> None:
    session = table.open()
    speaker = table.call.speaker
    assert speaker is not None
    item = speaker.say(FRAME * 50, kind=ItemKind.PROMPT, name="welcome")
    await eventually(lambda: item.played)

    session.take(metadata(rate=24_000, subscription="sub-2"), 20_000)
    table.desk.seal(session)
    again = table.desk.replay()

    assert [rate for raw_id, rate in again.tracks if raw_id == US] == [RATE]
    assert again.tracks[US, RATE].timeline.end == item.played


async def test_nobody_begins_to_speak_at_a_process_that_has_no_socket(
    table: Table,
) -> None:
    def talk(number: int) -> Talk:
        call = str(table.call.call_id)
        return Talk(
            call=call, utterance=key, name="ann", number=number, rate=RATE, pcm=FRAME
        )

    key = str(uuid4())
    session = table.open()
    table.tell(talk(0))
    begun = table.states()
    table.close(session)
    table.tell(talk(1))
    key = str(uuid4())
    table.tell(talk(0))

    assert (begun, table.states()) == (["queued"], ["queued"])
