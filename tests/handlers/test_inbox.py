"""What waits for a handler that is slow."""

from streaming.handlers import HeardAudio
from streaming.handlers.inbox import Heard, HeardTone, Inbox

ALICE = "4:+12065550100"


def all_of(inbox: Inbox) -> list[Heard]:
    """Take all that an inbox holds."""
    found = []
    while (heard := inbox.take()) is not None:
        found.append(heard)
    return found


def put(inbox: Inbox, at_ms: int) -> None:
    inbox.put((at_ms * 1000, ALICE, None, b"\1\0", False))


def test_keys_are_kept_in_their_place_where_audio_is_too_old() -> None:
    inbox = Inbox()

    inbox.press(HeardTone("1", ALICE))
    put(inbox, 0)
    inbox.press(HeardTone("2", ALICE))
    put(inbox, 20)
    put(inbox, 2_010)

    told = [
        one.tone if isinstance(one, HeardTone) else one.stamp_us // 1000
        for one in all_of(inbox)
    ]
    assert told == ["1", "2", 20, 2_010]
    assert inbox.dropped == 1


def test_a_burst_leaves_the_last_400_packets_and_the_last_100_keys() -> None:
    inbox = Inbox()

    for number in range(500):
        put(inbox, number)
        inbox.press(HeardTone(str(number), ALICE))

    heard = all_of(inbox)
    tones = [one.tone for one in heard if isinstance(one, HeardTone)]
    stamps = [one.stamp_us // 1000 for one in heard if isinstance(one, HeardAudio)]
    assert stamps == list(range(100, 500))
    assert tones == [str(number) for number in range(400, 500)]
    assert inbox.dropped == 500


def test_what_was_said_is_in_no_repr() -> None:
    told = repr(HeardAudio(ALICE, b"secret", 5, False))

    assert told == f"HeardAudio(raw_id={ALICE!r}, stamp_us=5, is_silent=False)"
