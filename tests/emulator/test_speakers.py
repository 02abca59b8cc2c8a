"""Speakers and the pump on a socket that breaks: what counts as sent."""

from dataclasses import replace
from typing import Any, cast

import aiohttp
import pytest

from emulator.calls import MediaOptions, Plan
from emulator.clock import Clock, Timeline
from emulator.dialling import SocketRecord
from emulator.options import Behaviour, Settings
from emulator.planning import parse_plan
from emulator.pump import Figures, Pump
from emulator.speakers import Cast
from emulator.speech import Speech

PLAN = Plan(caller="4:+1", recipient="4:+2", participants=("a", "b", "c"), offset=1.0)
OPTIONS = MediaOptions(
    transport_url="ws://127.0.0.1:9/",
    unmixed=True,
    rate=16_000,
    start=True,
    bidirectional=False,
    dtmf=False,
)


def test_slot_n_says_what_the_conversation_says_there(speech: Speech) -> None:
    voices = speech.voices(16_000, 0)
    party, lead = speech.part(2, again=1)
    assert (party, lead > 0) == (0, True)
    first, second, third = Cast(PLAN, OPTIONS, speech).present

    for slot in (0, 1, 777, 10_000):
        # One second into the conversation, which begins again at its end.
        position = (50 + slot) % voices[0].frames
        shifted = (position + lead) % voices[0].frames
        expected = (
            voices[0].frame(position),
            voices[1].frame(position),
            voices[0].frame(shifted),
        )
        packets = [each.packet(slot, b"") for each in (first, second, third)]
        assert tuple(each.pcm for each in packets if each) == expected


def test_a_script_that_ends_is_followed_by_silence(speech: Speech) -> None:
    frames = speech.voices(16_000, 0)[0].frames
    speaker, *_ = Cast(replace(PLAN, loop=False), OPTIONS, speech).present

    after = speaker.packet(frames, b"")

    assert after is not None
    assert (after.silent, after.pcm) == (True, bytes(640))
    assert speaker.loudness(frames, 50) == 0


class BreakingSocket:
    """A socket that takes so many messages and is gone then."""

    def __init__(self, takes: int) -> None:
        self._takes = takes
        self.taken: list[bytes] = []

    async def send_frame(self, message: bytes, _kind: Any) -> None:
        if len(self.taken) == self._takes:
            raise aiohttp.ClientConnectionResetError("Cannot write")
        self.taken.append(message)


@pytest.mark.parametrize("takes", [1, 2, 3, 8])
async def test_what_the_socket_did_not_take_was_not_sent(
    speech: Speech, takes: int
) -> None:
    socket, record = BreakingSocket(takes), SocketRecord("")
    speakers = Cast(PLAN, OPTIONS, speech)
    pump = Pump(
        cast(aiohttp.ClientWebSocketResponse, socket),
        record,
        timeline=Timeline(Clock(speed=50)),
        cast=speakers,
        plan=PLAN,
        figures=Figures(),
    )

    await pump.begin(b"{}")
    with pytest.raises(ConnectionError):
        await pump.run(lambda: True)

    assert len(socket.taken) == takes
    assert record.packets == takes - 1
    assert sum(track.packets for track in speakers.tracks) == takes - 1


def test_with_more_parties_than_participants_calls_speak_other_ones() -> None:
    plans = [
        parse_plan(
            {},
            number=number,
            settings=Settings(),
            behaviour=Behaviour(),
            seconds=60,
            parties=5,
        )
        for number in (1, 2, 3)
    ]

    assert [plan.first_party for plan in plans] == [0, 2, 4]
    assert [len(plan.participants) for plan in plans] == [2, 2, 2]


def test_audio_of_one_party_is_spoken_by_the_caller() -> None:
    plan = parse_plan(
        {"from": "4:+1"},
        number=1,
        settings=Settings(),
        behaviour=Behaviour(),
        seconds=60,
        parties=1,
    )

    assert plan.participants == ("4:+1",)
