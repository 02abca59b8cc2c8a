"""From the past to the live edge: at the seam nothing is missing, or there twice."""

import asyncio
import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streaming.listen import line as listen_line
from streaming.listen.wire import Ask, Past, Read
from tests.listen.bench import Ear, Feed, past_of, written
from tests.streaming.desk import Desk
from tests.streaming.house import eventually
from tests.streaming.wire import ALICE, BOB, PACKET_US, SAMPLES, audio, metadata, voice

WHO = (ALICE, BOB)
# Further than any of these calls.
FAR_US = 10**9


@contextmanager
def table(flush_interval: float = 0.01) -> Iterator[tuple[Desk, Feed]]:
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(Path(folder), flush_interval)
        with desk, past_of(Path(folder)) as past:
            yield desk, Feed(desk, past)


def pcm_of(who: str, number: int) -> bytes:
    return voice(number + 500 * WHO.index(who))


def speak(session: Any, number: int, arrival_us: int, jitter: float = 0.0) -> None:
    """Let both speakers be heard for 20 ms."""
    for who in WHO:
        frame = audio(number + jitter, who, pcm=pcm_of(who, number))
        assert session.take(frame, arrival_us) is None


async def some_time(desk: Desk, feed: Feed, chance: random.Random) -> None:
    if desk.call.tap and chance.random() < 0.3:
        feed.batch()
    if chance.random() < 0.1:
        await asyncio.sleep(0.003)


async def all_sent(ear: Ear) -> None:
    """Let the listener play on until nothing comes any more and it is live."""

    def is_done() -> bool:
        ear.line.played(FAR_US, ear.messages)
        return bool(ear.of("live"))

    await eventually(is_done)
    await eventually(lambda: ear.line._queue.empty())
    await asyncio.sleep(0)


@given(
    tapped=st.integers(0, 200),
    begun=st.integers(1, 200),
    from_number=st.integers(-10, 210),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25)
def test_joins_journal_and_live_edge_without_a_seam(
    tapped: int, begun: int, from_number: int, seed: int
) -> None:
    chance = random.Random(seed)
    lost = {chance.randrange(200) for _ in range(chance.choice((0, 3)))}

    async def listening() -> dict[str, dict[int, bytes]]:
        with table() as (desk, feed):
            ear = Ear()
            feed.lines.append(ear.line)
            session = desk.socket()
            session.take(metadata(), 0)
            arrival = 0
            for number in range(201):
                if number == min(tapped, begun):
                    feed.hear()
                if number == begun:
                    await ear.line.begin(feed, from_number * PACKET_US, 7)
                # Packets come evenly, or several at the same microsecond.
                arrival += chance.choice((0, PACKET_US, 2 * PACKET_US))
                if number not in lost and number < 200:
                    speak(session, number, arrival)
                await some_time(desk, feed, chance)
            feed.batch()
            await all_sent(ear)
            await ear.line.close()
            assert not ear.of("missed")
            return ear.heard(7)

    heard = asyncio.run(listening())

    wanted = [n for n in range(max(from_number, 0), 200) if n not in lost]
    for who in WHO:
        found = heard.get(who, {})
        assert found == {n * SAMPLES: pcm_of(who, n) for n in wanted}


async def test_a_packet_of_the_same_microsecond_that_is_not_on_the_disk_yet_is_heard(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen_line, "POLL_SECONDS", 1.0)
    with table(flush_interval=0.4) as (desk, feed):
        ear = Ear()
        feed.lines.append(ear.line)
        session = desk.socket()
        session.take(metadata(), 0)
        assert session.take(audio(0, ALICE, pcm=pcm_of(ALICE, 0)), 0) is None
        await asyncio.to_thread(written, desk)
        assert session.take(audio(0, BOB, pcm=pcm_of(BOB, 0)), 0) is None
        feed.hear()
        feed.batch()

        await ear.line.begin(feed, 0, 7)
        await all_sent(ear)
        await ear.line.close()

    assert ear.heard(7) == {who: {0: pcm_of(who, 0)} for who in WHO}


async def test_a_socket_that_is_long_over_does_not_keep_the_past_from_joining(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen_line, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(listen_line, "JOIN_SECONDS", 0.1)
    numbers = iter(range(0, 100_000, 50))
    with table() as (desk, feed):
        ear = Ear()
        feed.lines.append(ear.line)
        over = desk.socket()
        over.take(metadata(), 0)
        feed.hear()
        speak(over, next(numbers), 0)
        feed.batch()
        desk.seal(over)
        talks = desk.socket()
        talks.take(metadata(), 0)

        async def talk() -> None:
            number = next(numbers)
            speak(talks, number, number * PACKET_US)
            feed.batch()
            await asyncio.to_thread(written, desk)

        while feed.ring.packets[0].connection == str(over.id):
            await talk()

        class Talking(Late):
            """Has news of the second socket whenever it is asked."""

            async def ask(self, ask: Ask) -> None:
                await talk()
                await feed.ask(ask)

        await ear.line.begin(Talking(feed), 0, 1)
        await all_sent(ear)
        await ear.line.close()

    last = next(numbers)
    assert not ear.of("missed")
    for who in WHO:
        assert list(ear.heard(1)[who]) == [n * SAMPLES for n in range(0, last, 50)]


async def test_jitter_moves_no_audio_and_tears_no_hole_at_the_join() -> None:
    chance = random.Random(5)
    with table() as (desk, feed):
        ear = Ear()
        feed.lines.append(ear.line)
        session = desk.socket()
        session.take(metadata(), 0)
        for number in range(300):
            jitter = chance.uniform(-0.35, 0.35) if number else 0.0
            speak(session, number, number * PACKET_US, jitter)
            if number == 150:
                feed.hear()
                await asyncio.to_thread(written, desk)
                await ear.line.begin(feed, 0, 1)
            if number > 150 and number % 3 == 0:
                feed.batch()
                await asyncio.sleep(0)
        feed.batch()
        await all_sent(ear)
        await ear.line.close()

    for who in WHO:
        heard = ear.heard(1)[who]
        assert [heard[n * SAMPLES] for n in range(300)] == [
            pcm_of(who, n) for n in range(300)
        ]


async def test_goes_on_at_the_live_edge_when_the_disk_does_not_take_the_past(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen_line, "JOIN_SECONDS", 0.3)
    with table() as (desk, feed):
        ear = Ear()
        feed.lines.append(ear.line)
        session = desk.socket()
        session.take(metadata(), 0)
        for number in range(10):
            speak(session, number, number * PACKET_US)
        await asyncio.to_thread(written, desk)
        # As on a full disk: received, and never in the journal.
        monkeypatch.setattr(session.journal, "audio", lambda *_: False)
        for number in range(10, 20):
            speak(session, number, number * PACKET_US)
        feed.hear()
        feed.batch()
        await ear.line.begin(feed, 0, 1)
        await all_sent(ear)
        speak(session, 20, 20 * PACKET_US)
        feed.batch()
        await eventually(lambda: 20 * SAMPLES in ear.heard(1)[ALICE])
        await ear.line.close()

    assert [told["why"] for told in ear.of("missed")] == ["journal"]
    assert set(ear.heard(1)[ALICE]) == {n * SAMPLES for n in (*range(10), 20)}


async def test_reads_ahead_no_further_than_what_is_played() -> None:
    with table() as (desk, feed):
        ear = Ear()
        session = desk.socket()
        session.take(metadata(), 0)
        for number in range(50 * 30):
            speak(session, number, number * PACKET_US)
        await asyncio.to_thread(written, desk)
        feed.hear()
        feed.batch()
        await ear.line.begin(feed, 0, 1)
        await eventually(lambda: sent_ms(ear) > 3_000)
        await eventually(lambda: ear.line._pump and not ear.line._room.is_set())
        first, asked = sent_ms(ear), feed.asked

        ear.line.played(10_000_000, ear.messages)
        await eventually(lambda: sent_ms(ear) > 13_000)
        await ear.line.close()

    assert first <= 3_000 + 1_600
    assert asked <= 4


def sent_ms(ear: Ear) -> float:
    return max((s + n for *_, s, _, n in ear.frames), default=0) * 1000 / 16_000


async def test_a_seek_drops_what_was_on_its_way() -> None:
    with table() as (desk, feed):
        ear = Ear()
        session = desk.socket()
        session.take(metadata(), 0)
        for number in range(500):
            speak(session, number, number * PACKET_US)
        await asyncio.to_thread(written, desk)
        feed.hear()
        feed.batch()
        await ear.line.begin(feed, 0, 1)
        await eventually(lambda: ear.frames)
        await ear.line.begin(feed, 8_000_000, 2)
        await all_sent(ear)
        await ear.line.close()

    assert min(ear.heard(2)[ALICE]) == 400 * SAMPLES
    assert ear.frames[-1][0] == 2


class Late:
    """A feed whose answers come when the test lets them."""

    def __init__(self, feed: Feed) -> None:
        self.id, self.call_id = feed.id, feed.call_id
        self.ring, self.answers = feed.ring, feed.answers
        self.asks: list[Read] = []
        self._feed = feed

    async def ask(self, ask: Ask) -> None:
        assert isinstance(ask, Read)
        self.asks.append(ask)

    def past(self) -> Past:
        return self._feed.past_of(self.asks[0])


async def test_a_seek_that_comes_with_an_answer_goes_on() -> None:
    with table() as (desk, feed):
        ear = Ear()
        session = desk.socket()
        session.take(metadata(), 0)
        for number in range(500):
            speak(session, number, number * PACKET_US)
        await asyncio.to_thread(written, desk)
        feed.hear()
        feed.batch()
        late = Late(feed)
        await ear.line.begin(late, 0, 1)
        await eventually(lambda: late.asks)
        past = await asyncio.to_thread(late.past)
        # Both in one turn of the event loop.
        feed.answers[late.asks[0].ask](past)
        async with asyncio.timeout(20):
            await ear.line.begin(feed, 8_000_000, 2)
        await all_sent(ear)
        await ear.line.close()

    assert min(ear.heard(2)[ALICE]) == 400 * SAMPLES


async def test_one_who_does_not_keep_up_misses_audio_alone_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(listen_line, "MAX_UNTOLD_BYTES", 20_000)
    with table() as (desk, feed):
        slow, quick = Ear(), Ear()
        feed.lines += [slow.line, quick.line]
        feed.hear()
        for ear in (slow, quick):
            await ear.line.begin(feed, None, 1)
        session = desk.socket()
        session.take(metadata(), 0)
        for number in range(100):
            speak(session, number, number * PACKET_US)
            feed.batch()
            await eventually(lambda: quick.line._queue.empty())
            quick.line.played(number * PACKET_US, quick.messages)
        await eventually(lambda: slow.line._queue.empty())
        until = len(slow.heard(1)[ALICE])
        # It wakes up: from then on it hears again, and knows that it missed some.
        slow.line.played(0, slow.messages)
        speak(session, 100, 100 * PACKET_US)
        feed.batch()
        await eventually(lambda: 100 * SAMPLES in slow.heard(1)[ALICE])
        packets = session.counts.packets
        for ear in (slow, quick):
            await ear.line.close()

    assert packets == 202
    assert until < 20
    assert [told["why"] for told in slow.of("missed")] == ["slow"]
    assert set(quick.heard(1)[ALICE]) >= {n * SAMPLES for n in range(100)}
    assert not quick.of("missed")


async def test_a_redial_is_heard_without_a_break() -> None:
    with table() as (desk, feed):
        ear = Ear()
        feed.lines.append(ear.line)
        session = desk.socket()
        session.take(metadata(), 0)
        feed.hear()
        await ear.line.begin(feed, None, 1)
        for number in range(50):
            speak(session, number, number * PACKET_US)
            feed.batch()
        again = desk.socket(after=1.0)
        again.take(metadata(), 0)
        # ACS sends anew what it did not know to have arrived.
        for number in range(45, 100):
            speak(again, number, (number - 45) * PACKET_US)
            feed.batch()
        await eventually(lambda: ear.line._queue.empty())
        await ear.line.close()

    for who in WHO:
        assert ear.heard(1)[who] == {n * SAMPLES: pcm_of(who, n) for n in range(100)}


async def test_a_message_that_redis_lost_is_told_and_the_rest_is_heard() -> None:
    with table() as (desk, feed):
        ear = Ear()
        feed.lines.append(ear.line)
        session = desk.socket()
        session.take(metadata(), 0)
        feed.hear()
        await ear.line.begin(feed, None, 1)
        for number in range(30):
            speak(session, number, number * PACKET_US)
            if number == 10:
                assert desk.call.tap
                desk.call.tap.batch("lost on its way")
            feed.batch()
        await eventually(lambda: ear.line._queue.empty())
        await ear.line.close()

    assert [told["why"] for told in ear.of("missed")] == ["redis"]
    assert set(ear.heard(1)[ALICE]) == {n * SAMPLES for n in range(30) if n != 10}
