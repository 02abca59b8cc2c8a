"""Audio on its way between the call and the service: rates, voices, words."""

import numpy as np
import soxr
from hypothesis import given
from hypothesis import strategies as st

from streaming.handlers import HeardAudio
from streaming.handlers.realtime.answers import heard_part
from streaming.handlers.realtime.mixing import InputClock, Mixer, Slot
from streaming.handlers.realtime.resampling import Resampler
from tests.realtime.sounds import speech

FRAME = 640
START_US = 1_700_000_000_000_000


@given(
    seed=st.integers(0, 2**32 - 1),
    rates=st.sampled_from([(16_000, 24_000), (24_000, 16_000)]),
    sizes=st.lists(st.integers(1, 2000), min_size=1, max_size=60),
)
def test_a_stream_in_pieces_is_resampled_as_a_whole_file_is(
    seed: int, rates: tuple[int, int], sizes: list[int]
) -> None:
    samples = np.random.default_rng(seed).integers(-20_000, 20_000, sum(sizes), "<i2")
    whole = soxr.resample(samples.astype(np.float32), *rates, quality="HQ")

    resampler = Resampler(*rates)
    pieces = np.split(samples, np.cumsum(sizes)[:-1])
    parts = [resampler.convert(piece.tobytes()) for piece in pieces]
    parts.append(resampler.convert(b"", is_last=True))

    streamed = np.frombuffer(b"".join(parts), "<i2").astype(np.float32)
    assert len(streamed) == len(whole)
    assert np.abs(streamed - np.clip(whole, -32768, 32767)).max(initial=0) <= 1


def test_silence_stays_silence_at_any_rate() -> None:
    resampler = Resampler(16_000, 24_000)

    heard = [resampler.convert(bytes(FRAME)) for _ in range(50)]

    assert not b"".join(heard).strip(b"\0")


def packet(raw_id: str, slot: int, pcm: bytes, off_us: int = 0) -> HeardAudio:
    return HeardAudio(raw_id, pcm, START_US + slot * 20_000 + off_us, is_silent=False)


def mixed(packets: list[HeardAudio], relays: str = "") -> list[Slot]:
    mixer = Mixer(FRAME, lambda raw_id: not relays or raw_id == relays)
    return [slot for each in packets for slot in mixer.hear(each)]


@given(st.lists(st.integers(-30_000, 30_000), min_size=1, max_size=80))
def test_one_caller_alone_passes_unchanged_whatever_the_jitter(
    offsets: list[int],
) -> None:
    pcm = [bytes([number + 1, 0]) * 320 for number in range(len(offsets))]
    packets = [
        packet("4:+1", slot, pcm[slot], off_us) for slot, off_us in enumerate(offsets)
    ]

    heard = mixed(packets)

    assert [slot.pcm for slot in heard] == pcm


def test_callers_who_speak_at_once_are_summed_and_cut_at_full_scale() -> None:
    loud, more = b"\x00\x7f" * 320, b"\x00\x70" * 320
    packets = [
        packet(raw_id, slot, pcm, off_us=7_000 if pcm is more else 0)
        for slot in range(10)
        for raw_id, pcm in (("4:+1", loud), ("4:+2", more))
    ]

    heard = mixed(packets)

    assert {slot.pcm for slot in heard[1:]} == {b"\xff\x7f" * 320}
    assert len(heard) >= 10


def test_who_is_not_chosen_is_not_relayed() -> None:
    packets = [packet(raw_id, 0, speech(20)) for raw_id in ("4:+1", "8:acs:agent")]

    heard = mixed(packets, relays="4:+1")

    assert [slot.pcm for slot in heard] == [speech(20)]


def test_a_pause_in_what_comes_is_silence_and_a_long_one_is_shortened() -> None:
    pcm = speech(20)

    heard = mixed([packet("4:+1", slot, pcm) for slot in (0, 10, 10_000)])

    assert [slot.pcm == pcm for slot in heard[:11]] == [True] + [False] * 9 + [True]
    assert len(heard) == 11 + 50 + 1
    assert heard[-1].stamp_us == START_US + 10_000 * 20_000


def test_a_clock_that_is_set_back_does_not_silence_the_caller() -> None:
    pcm = speech(20)

    heard = mixed([packet("4:+1", slot, pcm) for slot in (10_000, 10_001, 5, 6)])

    assert [slot.pcm for slot in heard] == [pcm] * 4


def test_positions_in_a_session_are_times_of_the_call() -> None:
    clock = InputClock()
    for slot in (*range(50), *range(500, 550)):
        clock.sent(START_US + slot * 20_000, 20.0)

    times = [clock.at(position) - START_US for position in (0, 990, 1000, 1500)]

    assert times == [0, 990_000, 10_000_000, 10_500_000]


@given(
    words=st.lists(st.text("abcdé", min_size=1, max_size=9), min_size=1, max_size=40),
    heard=st.lists(st.integers(0, 10_000), min_size=2, max_size=2).map(sorted),
)
def test_of_a_cut_answer_whole_words_are_kept_and_never_fewer_for_more_heard(
    words: list[str], heard: list[int]
) -> None:
    text = " ".join(words)

    kept = [heard_part(text, each, 10_000).split() for each in heard]

    assert all(each == words[: len(each)] for each in kept)
    assert len(kept[0]) <= len(kept[1])
    assert heard_part(text, 0, 10_000) == ""
    assert heard_part(text, 10_000, 10_000) == text
