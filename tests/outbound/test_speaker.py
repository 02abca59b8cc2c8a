"""The speaker and its socket, the clock it goes by, and people who speak live."""

import json
from uuid import UUID, uuid4

import pytest

from calls.live.speaking import Talk
from streaming.capture_clock import WHOLE_US, WINDOW, CaptureClock
from streaming.outbound import Item, ItemKind, ItemState, Speaker
from streaming.outbound import speaker as speaker_module
from streaming.outbound.talking import Talking
from tests.streaming.house import eventually

RATE = 16_000
FRAME = 640
NOON = 1_772_366_400_000_000


class Socket:
    """What a speaker sends, by kind; it takes nothing while it is full."""

    def __init__(self) -> None:
        self.kinds: list[str] = []
        self.is_full = False

    def __call__(self, text: str) -> bool:
        if not self.is_full:
            self.kinds.append(json.loads(text)["Kind"])
        return not self.is_full


@pytest.fixture
async def speaker() -> Speaker:
    return Speaker(RATE, heard=lambda frame: None, news=lambda item: None)


def talk(utterance: UUID, number: int, *, rate: int = RATE, last: bool = False) -> Talk:
    return Talk(
        call="",
        utterance=str(utterance),
        name="ann",
        number=number,
        rate=rate,
        pcm=bytes([number + 1]) * FRAME,
        is_last=last,
    )


def prompt(speaker: Speaker, frames: int) -> Item:
    return speaker.say(b"\1" * FRAME * frames, kind=ItemKind.PROMPT, name="hello")


async def test_a_stop_goes_out_before_anything_that_is_said_after_it(
    speaker: Speaker,
) -> None:
    socket = Socket()
    speaker.attach(socket)
    first = prompt(speaker, 100)
    socket.is_full, sent = True, len(socket.kinds)

    speaker.stop("enough")
    prompt(speaker, 1)
    socket.is_full = False
    await eventually(lambda: len(socket.kinds) == sent + 2)

    assert socket.kinds[sent:] == ["StopAudio", "AudioData"]
    assert first.state is ItemState.STOPPED


async def test_who_cuts_what_they_say_cuts_nobody_else(speaker: Speaker) -> None:
    socket = Socket()
    speaker.attach(socket)
    before, mine, after = prompt(speaker, 2), prompt(speaker, 3), prompt(speaker, 2)
    sent = len(socket.kinds)

    # ACS drops all that it has: what was sent of the others is sent again.
    assert speaker.stop("enough", {mine.id}) == [mine]
    assert socket.kinds[sent:] == ["StopAudio", *["AudioData"] * 4]
    await eventually(lambda: after.is_over)

    states = [item.state for item in (before, mine, after)]
    assert states == [ItemState.PLAYED, ItemState.STOPPED, ItemState.PLAYED]
    assert (before.played, after.played) == (640, 640)
    assert speaker.playout.underruns == 0


async def test_what_only_waits_is_cut_without_a_word_to_acs(speaker: Speaker) -> None:
    socket = Socket()
    speaker.attach(socket)
    heard, waiting = prompt(speaker, 50), prompt(speaker, 5)

    speaker.stop("enough", {waiting.id})

    assert "StopAudio" not in socket.kinds
    assert (heard.state, waiting.state) == (ItemState.PLAYING, ItemState.STOPPED)


async def test_what_is_taken_back_is_flushed_at_acs_before_it_is_sent_again(
    speaker: Speaker,
) -> None:
    old, new = Socket(), Socket()
    speaker.attach(old)
    prompt(speaker, 3)

    speaker.detach(old)
    speaker.attach(new)

    assert new.kinds[:2] == ["StopAudio", "AudioData"]


async def test_without_a_socket_nothing_waits_for_ever(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker_module, "NO_SOCKET_SECONDS", 0.05)

    item = prompt(speaker, 3)
    await eventually(lambda: item.is_over)

    assert (item.state, item.reason) == (ItemState.FAILED, "no socket for 0.05 s")


async def test_what_was_partly_heard_when_the_last_socket_closed_did_not_fail(
    speaker: Speaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaker_module, "NO_SOCKET_SECONDS", 0.05)
    socket = Socket()
    speaker.attach(socket)
    begun, waiting = prompt(speaker, 100), prompt(speaker, 1)
    await eventually(lambda: begun.played)

    speaker.detach(socket)
    await eventually(lambda: begun.is_over)

    assert (begun.state, begun.reason) == (
        ItemState.STOPPED,
        "the call's socket closed",
    )
    assert (waiting.state, waiting.reason) == (ItemState.FAILED, "no socket for 0.05 s")


async def test_frames_of_who_speaks_live_may_be_missing_or_come_twice(
    speaker: Speaker,
) -> None:
    talking, utterance = Talking(), uuid4()

    for number in (0, 1, 1, 4, 2):
        talking.take(speaker, utterance, talk(utterance, number))
    talking.take(speaker, utterance, talk(utterance, 6, last=True))

    [item] = speaker.playout.items
    assert item.waiting.first(9_000)[::FRAME] == bytes([1, 2, 5, 7])
    assert (item.id, item.is_whole, item.survives) == (utterance, True, False)


async def test_who_was_stopped_is_not_heard_again_however_long_they_go_on(
    speaker: Speaker,
) -> None:
    talking, utterance = Talking(), uuid4()
    told: list[ItemState] = []
    speaker._news = lambda item: told.append(item.state)
    talking.take(speaker, utterance, talk(utterance, 0))

    speaker.stop("enough")
    for number in range(1, 9):
        talking.take(speaker, utterance, talk(utterance, number))

    assert told == [ItemState.QUEUED, ItemState.STOPPED]
    assert not speaker.is_speaking


async def test_live_audio_at_another_rate_fails(speaker: Speaker) -> None:
    talking, utterance = Talking(), uuid4()
    told: list[ItemState] = []
    speaker._news = lambda item: told.append(item.state)

    talking.take(speaker, utterance, talk(utterance, 0, rate=24_000))

    assert told[-1] is ItemState.FAILED
    assert not speaker.is_speaking


def test_the_capture_clock_goes_by_the_packet_that_travelled_least() -> None:
    clock = CaptureClock()
    assert clock.at(NOON) == NOON

    # ACS's clock is 3 s behind; whole packets take 5 to 80 ms.
    for travel in (80_000, 5_000, 40_000):
        clock.note(3_000_000 + WHOLE_US + travel)

    assert clock.at(NOON) == NOON - 3_000_000 - 5_000


def test_the_capture_clock_forgets_what_was_before_the_last_minute() -> None:
    clock = CaptureClock()
    clock.note(1_000_000)
    # A stamp that is no time.
    clock.note(-(10**15))
    for _ in range(2 * WINDOW):
        clock.note(1_200_000)
        clock.turn()

    assert clock.at(NOON) == NOON - 1_200_000 + WHOLE_US
