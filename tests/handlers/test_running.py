"""A handler that misbehaves, and what it costs: itself, never a packet."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from calls.alarms.kinds import Kind
from calls.drafts import AlarmDraft, CallFacts
from calls.journals.format import Kind as Recorded
from calls.journals.replay import CallReplay
from streaming.archive import Archive
from streaming.handlers.of_process import Handlers
from streaming.handlers.running import Running
from streaming.ingest import MediaSession
from streaming.outbound import ItemKind
from tests.handlers.characters import Note
from tests.streaming.desk import OPENED, Desk, records
from tests.streaming.house import eventually
from tests.streaming.wire import ALICE, BOB, audio, dtmf, metadata, voice

PACKETS = 600
HERE = "tests.handlers.characters"


class House:
    """One call of a recorder whose profile names a handler."""

    def __init__(self, folder: Path, grace: float = 60.0) -> None:
        self.desk = Desk(folder)
        self.call = self.desk.call
        self.call.may_speak = True
        self.call.now(OPENED, time.monotonic())
        self.archive = Archive()
        self.handlers = Handlers(
            self.archive, lambda: None, lambda _: None, grace=grace
        )
        self.sent: list[str] = []
        self.packets = 0

    async def dial(self, handler: str, **options: Any) -> MediaSession:
        """Open a socket; return once the handler has begun, or has not."""
        session = self.desk.socket()
        session.send = self._send
        facts = CallFacts(True, handler=handler, handler_options=options)
        self.handlers.opened(self.call, facts)
        session.take(metadata(), 0)
        if handler:
            await eventually(lambda: self.running.state != "waiting")
        return session

    def _send(self, frame: str) -> bool:
        self.sent.append(frame)
        return True

    @property
    def running(self) -> Running:
        assert self.call.handler is not None
        return self.call.handler

    @property
    def note(self) -> Note:
        return Note.made[-1]

    async def talk(self, session: MediaSession, count: int = PACKETS) -> None:
        """Let two people talk; the loop turns as often as it does for packets."""
        for number in range(self.packets, self.packets + count):
            for raw_id in (ALICE, BOB):
                session.take(audio(number, raw_id), number * 20_000)
            await asyncio.sleep(0)
        self.packets += count

    def alarms(self) -> list[AlarmDraft]:
        """Return alarms of the handler as they are now."""
        self.call.measure()
        self.call.watch.look(self.call, time.monotonic(), OPENED)
        return [one for one in self.call.watch.drafts() if one.kind == Kind.HANDLER]

    def hang_up(self, session: MediaSession) -> list[tuple[int, bytes]]:
        """Close a socket as the recorder does; return what its journal holds."""
        path = self.desk.seal(session)
        self.handlers.closed(self.call)
        return records(path)

    async def close(self) -> None:
        await self.handlers.stop({self.call.call_id: self.call})
        self.archive.close(wait=True)
        self.desk.journals.close()


@pytest.fixture
async def house(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setattr("streaming.handlers.running.CLOSE_SECONDS", 0.1)
    house = House(tmp_path)
    yield house
    await house.close()


def notes(kept: list[tuple[int, bytes]]) -> list[dict[str, Any]]:
    found = [json.loads(text) for kind, text in kept if kind == Recorded.NOTE]
    return [note for note in found if note["event"] == "handler"]


def recorded(house: House, kept: list[tuple[int, bytes]]) -> tuple[Any, ...]:
    """Return all that was recorded of the people in the call."""
    people = [house.call.tracks[raw_id, 16_000].audio for raw_id in (ALICE, BOB)]
    packets = [pcm for kind, pcm in kept if kind == Recorded.AUDIO]
    return packets, [(one.packets, one.ledger.to_json()) for one in people]


@pytest.mark.parametrize("kind", ["Crashes", "Exits", "Waits", "Blocks", "Note"])
async def test_a_recording_is_the_same_whatever_its_handler_does(
    kind: str, house: House, tmp_path: Path
) -> None:
    quiet = House(tmp_path / "without")
    nothing = await quiet.dial("")
    await quiet.talk(nothing)

    session = await house.dial(f"{HERE}.{kind}")
    await house.talk(session)

    assert recorded(house, house.hang_up(session)) == recorded(
        quiet, quiet.hang_up(nothing)
    )
    assert len(house.note.heard) > 0 or kind == "Exits"
    await quiet.close()


async def test_who_floods_a_call_is_bounded_and_told(house: House) -> None:
    session = await house.dial(f"{HERE}.Floods")
    await house.talk(session, 100)
    await eventually(lambda: house.running.is_idle)

    speaker = house.call.speaker
    assert speaker is not None
    assert len(speaker.playout.items) <= 200
    assert len(house.running._troubles) <= 20
    assert house.call.tracks[ALICE, 16_000].audio.packets == 100
    [alarm] = house.alarms()
    assert "things to say at once" in alarm.words
    house.hang_up(session)


async def test_who_fails_is_ended_and_told_without_a_word_of_its_own(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    session = await house.dial(f"{HERE}.Crashes")
    with caplog.at_level(logging.DEBUG):
        await house.talk(session)
        await eventually(lambda: house.note.closed)

    [alarm] = house.alarms()
    assert "RuntimeError in on_audio, line" in alarm.words
    assert alarm.severity == 3
    assert (len(house.note.heard), house.running.state) == (10, "failed")
    told = alarm.words + caplog.text + str(notes(house.hang_up(session)))
    assert str(house.call.call_id) in caplog.text
    assert not {"4711", "+12065550100"} & set(told.replace(" ", "\n").split())
    assert "4711" not in told


async def test_what_a_handler_that_failed_had_begun_to_say_holds_up_nobody(
    house: House,
) -> None:
    session = await house.dial(f"{HERE}.Crashes")
    saying = house.note.line.begin_audio()
    saying.write(voice(1))
    await house.talk(session, 20)
    await eventually(lambda: saying.is_over)

    speaker = house.call.speaker
    assert speaker is not None
    other = speaker.say(voice(2), kind=ItemKind.PROMPT, name="theirs")
    await eventually(lambda: other.is_over)
    assert (saying.played_ms, other.played) == (20, 320)
    house.hang_up(session)


async def test_who_is_slow_hears_the_present_and_the_rest_is_told(
    house: House,
) -> None:
    session = await house.dial(f"{HERE}.Waits")
    await house.talk(session)

    [alarm] = house.alarms()
    # It has one; two seconds of both wait.
    assert house.running.dropped == 2 * PACKETS - 1 - 2 * 101
    assert f"{house.running.dropped} packets" in alarm.words
    *_, last = notes(house.hang_up(session))
    assert (last["what"], last["dropped"]) == ("socket closed", house.running.dropped)


async def test_what_a_handler_did_is_kept_beside_the_recordings(house: House) -> None:
    session = await house.dial(f"{HERE}.Crashes")
    await house.talk(session, 20)
    await eventually(lambda: house.note.closed)
    house.hang_up(session)

    kept: list[dict[str, Any]] = []
    again = CallReplay(
        house.call.call_id,
        placed=lambda *_: None,
        aside=lambda _, record: kept.append(json.loads(record.text)),
    )
    again.run(house.desk.folder.glob("*.journal"))
    assert [note["what"] for note in kept] == ["began", "failed", "socket closed"]
    assert {note["name"] for note in kept} == {f"{HERE}.Crashes"}


async def test_who_holds_up_the_loop_is_named(house: House) -> None:
    session = await house.dial(f"{HERE}.Blocks")
    await house.talk(session)
    await eventually(lambda: house.running.is_idle)

    [alarm] = house.alarms()
    assert f"“{HERE}.Blocks” held up every call of its process" in alarm.words
    assert house.running.longest >= 0.3
    house.hang_up(session)


async def test_a_handler_is_made_where_it_holds_up_no_call(house: House) -> None:
    session = await house.dial(f"{HERE}.Heavy")

    made_in = getattr(house.note, "made_in")  # noqa: B009 of `Heavy` alone
    assert made_in is not threading.current_thread()
    house.hang_up(session)


async def test_who_does_not_come_to_an_end_is_cancelled_and_told(
    house: House,
) -> None:
    session = await house.dial(f"{HERE}.Waits")
    await house.talk(session, 10)

    await house.running.end("the call is over")

    assert "was not done within" in house.running.trouble(time.monotonic())
    house.hang_up(session)


async def test_a_handler_outlives_a_redial_with_all_it_knows(house: House) -> None:
    first = await house.dial(f"{HERE}.Note")
    await house.talk(first, 10)
    await eventually(lambda: house.running.is_idle)
    house.hang_up(first)
    line, running = house.note.line, house.running
    [(leaving, _)] = house.handlers._leaving.values()

    second = await house.dial(f"{HERE}.Note")
    await house.talk(second, 10)
    await eventually(lambda: len(house.note.heard) == 40)

    assert (house.note.line, house.running) == (line, running)
    assert leaving.cancelled()
    assert house.note.closed == []
    house.hang_up(second)


async def test_after_the_grace_the_handler_closes_and_a_later_socket_has_another(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, grace=0.01)
    first = await house.dial(f"{HERE}.Note")
    house.hang_up(first)
    before = house.note
    await eventually(lambda: before.closed)

    second = await house.dial(f"{HERE}.Note")

    assert before.closed == ["the call's sockets have closed"]
    assert house.note is not before
    house.hang_up(second)
    await house.close()


async def test_who_fails_after_the_last_socket_is_told_all_the_same(
    tmp_path: Path,
) -> None:
    house = House(tmp_path, grace=0.01)
    session = await house.dial(f"{HERE}.Lingers")
    house.hang_up(session)
    house.call.watch.end(time.monotonic(), OPENED)

    [told] = await eventually(house.call.watch.drafts)

    assert "RuntimeError in on_close" in told.words
    assert told.cleared_at is not None
    await house.close()


async def test_hears_audio_and_keys_in_order_and_silence_as_zeros(
    house: House,
) -> None:
    session = await house.dial(f"{HERE}.Note")
    session.take(audio(0), 0)
    session.take(audio(1, BOB, pcm=voice(1), silent=True), 20_000)
    session.take(dtmf("5", BOB), 30_000)
    session.take(audio(2, BOB), 40_000)
    await eventually(lambda: house.running.is_idle)

    heard = house.note.heard
    assert [one.raw_id for one in heard] == [ALICE, BOB, BOB]
    assert [one.pcm for one in heard] == [voice(0), bytes(640), voice(2)]
    assert [one.stamp_us - heard[0].stamp_us for one in heard] == [0, 20_000, 40_000]
    assert house.note.tones == [("5", BOB)]
    house.hang_up(session)


async def test_is_not_handed_what_it_says_itself(house: House) -> None:
    session = await house.dial(f"{HERE}.Note")
    await house.talk(session, 1)
    saying = house.note.line.send_audio(voice(1))
    await eventually(lambda: saying.is_over)

    assert saying.played_ms == 20
    assert {one.raw_id for one in house.note.heard} == {ALICE, BOB}
    assert len(house.sent) >= 1
    house.hang_up(session)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ehco", "there is no handler “ehco”"),
        ("nowhere.at.all.Handler", "“nowhere.at.all” cannot be imported"),
        (f"{HERE}.Nobody", "has no handler “Nobody”"),
        (f"{HERE}.NoHandler", "has no handler “NoHandler”"),
        (f"{HERE}.NotAsync", "on_audio of"),
        (f"{HERE}.Fussy", "“language” is missing"),
        ("prompt", "“prompt” must be the name of a prompt"),
    ],
)
async def test_a_handler_that_cannot_be_had_is_an_alarm_that_says_why(
    name: str, words: str, house: House
) -> None:
    session = await house.dial(name)
    await house.talk(session, 10)

    [alarm] = house.alarms()
    assert words in alarm.words
    assert house.call.tracks[ALICE, 16_000].audio.packets == 10
    house.hang_up(session)
