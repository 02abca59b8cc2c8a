"""The play-out queue: what is due, what was heard, what is dropped. Time as we say."""

import tracemalloc
from uuid import uuid4

import pytest

from streaming.outbound.items import FRAME_US, Item, ItemKind, ItemState
from streaming.outbound.playout import (
    CUSHION_US,
    LEAD_US,
    MAX_ITEMS,
    MAX_LIVE_US,
    MAX_QUEUED_US,
    MAX_WAITING_US,
    Playout,
)

RATE = 16_000
FRAME = 640
# Not 0: a monotonic clock never begins there.
NOW = 7_000_000


def item(
    playout: Playout,
    pcm: bytes = b"",
    *,
    survives: bool = True,
    is_live: bool = False,
) -> Item:
    made = Item(
        id=uuid4(),
        kind=ItemKind.PROMPT,
        name="hello",
        survives=survives,
        is_live=is_live,
    )
    playout.put(made)
    playout.write(made, pcm)
    return made


def whole(playout: Playout, pcm: bytes) -> Item:
    made = item(playout, pcm)
    playout.finish(made)
    return made


def send(playout: Playout, now: int) -> bytes:
    """Send what is due; return it."""
    sent = b""
    while (frame := playout.due(now)) is not None:
        playout.sent(frame)
        sent += frame.pcm
    return sent


def hear(playout: Playout, now: int, *, is_cut: bool = False) -> bytes:
    return b"".join(
        frame.pcm[: frame.samples * 2] for frame in playout.heard(now, is_cut=is_cut)
    )


def frames(number: int, first: int = 1) -> bytes:
    return b"".join(bytes([first + each]) * FRAME for each in range(number))


def test_sends_no_further_ahead_than_the_lead() -> None:
    playout = Playout(RATE)
    whole(playout, frames(50))

    assert send(playout, NOW) == frames(LEAD_US // FRAME_US)
    assert send(playout, NOW + FRAME_US - 1) == frames(1, 1 + LEAD_US // FRAME_US)
    assert hear(playout, NOW + FRAME_US - 1) == b""
    assert hear(playout, NOW + FRAME_US) == frames(1)


def test_items_follow_each_other_without_a_pause_and_without_an_underrun() -> None:
    playout = Playout(RATE)
    one, two = whole(playout, frames(2)[:-100]), whole(playout, frames(1, 9))

    assert send(playout, NOW) == frames(2)[:-100] + bytes(100) + frames(1, 9)
    hear(playout, NOW + 3 * FRAME_US)

    assert (one.state, two.state) == (ItemState.PLAYED, ItemState.PLAYED)
    assert (one.played, two.played) == (590, 320)
    assert playout.underruns == 0
    assert playout.is_idle


def test_who_writes_too_slowly_is_an_underrun() -> None:
    playout = Playout(RATE)
    slow = item(playout, frames(2))
    send(playout, NOW)

    playout.write(slow, frames(1))
    send(playout, NOW + 3 * FRAME_US)

    assert (slow.underruns, playout.underruns) == (1, 1)


def test_a_stop_counts_what_was_heard_to_the_sample() -> None:
    playout = Playout(RATE)
    one, two = whole(playout, frames(20)), whole(playout, frames(1))
    send(playout, NOW)

    heard = hear(playout, NOW + 25_000, is_cut=True)
    cut = playout.stop(NOW + 25_000, ItemState.STOPPED, "enough")

    assert heard == frames(2)[: FRAME + FRAME // 4]
    assert cut == [one, two]
    assert (one.played, one.reason, two.state) == (400, "enough", ItemState.STOPPED)
    # Whoever still writes is told that there is no room.
    assert playout.write(two, frames(1)) == 0
    assert send(playout, NOW + 30_000) == b""


def test_what_was_not_heard_is_sent_again_over_the_next_socket() -> None:
    playout = Playout(RATE)
    prompt = whole(playout, frames(4))
    send(playout, NOW)
    heard = hear(playout, NOW + 30_000, is_cut=True)

    assert playout.rewind(NOW + 30_000, "gone")
    heard += send(playout, NOW + 5_000_000)

    assert heard[: 4 * FRAME] == frames(4)
    assert (prompt.underruns, prompt.state) == (0, ItemState.PLAYING)


def test_who_does_not_survive_a_socket_is_stopped_and_lets_the_others_go_on() -> None:
    playout = Playout(RATE)
    talk = item(playout, frames(4), survives=False)
    prompt = whole(playout, frames(2, 50))
    send(playout, NOW)

    playout.rewind(NOW + 30_000, "gone")

    assert (talk.state, talk.reason) == (ItemState.STOPPED, "gone")
    assert send(playout, NOW + 40_000) == frames(2, 50)
    assert prompt.state is ItemState.PLAYING


def test_who_is_speaking_live_is_heard_on_after_a_redial_but_for_what_waited() -> None:
    playout = Playout(RATE)
    talk = item(playout, frames(20), survives=False, is_live=True)
    send(playout, NOW)

    playout.rewind(NOW + FRAME_US, "gone")
    playout.write(talk, frames(4, 90))

    assert send(playout, NOW + 5_000_000) == frames(4, 90)
    assert (talk.state, talk.underruns) == (ItemState.PLAYING, 0)


def test_live_audio_waits_for_a_cushion_whenever_it_ran_dry() -> None:
    playout = Playout(RATE)
    cushion = CUSHION_US // FRAME_US
    talk = item(playout, frames(cushion - 1), is_live=True)
    assert send(playout, NOW) == b""

    playout.write(talk, frames(1, cushion))
    assert send(playout, NOW) == frames(cushion)
    # While it flows, each frame goes at once.
    playout.write(talk, frames(1))
    assert send(playout, NOW + FRAME_US) == frames(1)
    playout.write(talk, frames(1))
    assert send(playout, NOW + 9_000_000) == b""


def test_of_live_audio_that_cannot_be_heard_in_time_the_oldest_goes() -> None:
    playout = Playout(RATE)
    most = MAX_LIVE_US // FRAME_US
    talk = item(playout, frames(most + 5), is_live=True)

    assert talk.dropped == 5 * 320
    assert send(playout, NOW).startswith(frames(1, 6))


def test_what_is_whole_takes_no_more_than_five_minutes() -> None:
    playout = Playout(RATE)
    five_minutes = 5 * 60 * RATE * 2

    assert playout.write(item(playout), bytes(five_minutes + 10)) == five_minutes
    with pytest.raises(ValueError, match="whole"):
        playout.write(item(playout), b"odd")


def test_an_item_that_fails_lets_those_behind_it_be_heard() -> None:
    playout = Playout(RATE)
    unread = item(playout)
    whole(playout, frames(1))
    assert send(playout, NOW) == b""

    playout.fail(unread, "unreadable")

    assert send(playout, NOW) == frames(1)
    assert (unread.state, unread.reason) == (ItemState.FAILED, "unreadable")


def test_a_call_holds_half_an_hour_at_most_whoever_speaks() -> None:
    playout = Playout(RATE)
    longest = bytes(MAX_WAITING_US // FRAME_US * FRAME)

    taken = sum(playout.write(item(playout), longest) for _ in range(9))

    assert taken == MAX_QUEUED_US // FRAME_US * FRAME
    assert playout.queued_us == MAX_QUEUED_US


def test_what_stands_behind_too_many_fails_in_words() -> None:
    playout = Playout(RATE)
    for _ in range(MAX_ITEMS):
        whole(playout, frames(1))

    late = whole(playout, frames(1))

    assert late.state is ItemState.FAILED
    assert late.reason == "256 things wait to be said in the call already"
    assert late not in playout.items


def test_a_prompt_that_waits_in_many_calls_is_there_once() -> None:
    tracemalloc.start()
    pcm = bytes(MAX_WAITING_US // FRAME_US * FRAME)
    waiting = [Playout(RATE) for _ in range(20)]

    for playout in waiting:
        whole(playout, pcm)
        send(playout, NOW)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert size < 2 * len(pcm)
