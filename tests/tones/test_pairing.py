"""One press told twice is one tone, whichever way the two tellings went."""

from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from calls.tones.pairing import LATE_US, Press, pair
from streaming.protocol import MASK

MS = 1_000
ALICE, BOB = "4:+12065550100", "4:+12065550101"


def press(key: str, ms: int, raw_id: str = ALICE) -> Press:
    return Press(uuid4(), raw_id, key, ms * MS)


def story(media: list[Press], callbacks: list[Press]) -> list[tuple[str, str]]:
    """Return who pressed what, in the order of the tones that would be stored."""
    found = pair(media, callbacks)
    tones = [(one.at_us, one.raw_id or _named(one, found.pairs), one) for one in media]
    tones += [(at_us, one.raw_id, one) for one, at_us in found.alone]
    ordered = sorted(tones, key=lambda tone: tone[0])
    return [(raw_id, one.key) for _, raw_id, one in ordered]


def _named(one: Press, pairs: dict[UUID, Press]) -> str:
    return pairs[one.id].raw_id if one.id in pairs else ""


def keys(media: list[Press], callbacks: list[Press]) -> str:
    return "".join(key for _, key in story(media, callbacks))


def test_a_press_told_by_both_is_one() -> None:
    media, callbacks = [press("5", 0)], [press("5", 400)]

    found = pair(media, callbacks)

    assert found.pairs == {media[0].id: callbacks[0]}
    assert found.alone == []


def test_the_same_key_again_is_another_press() -> None:
    media = [press("1", at) for at in (0, 120, 240)]
    callbacks = [press("1", at + 300) for at in (0, 120, 240)]

    found = pair(media, callbacks)

    assert [found.pairs[one.id] for one in media] == callbacks


def test_what_one_of_both_lost_stands_where_it_was_pressed() -> None:
    sent = [press("2", 300), press("1", 600)]
    told = [press("1", 200), press("2", 500), press("1", 800)]

    assert keys(sent, told) == "121"
    assert keys(sent, told[1:]) == "21"
    [(_, at_us)] = pair(sent, told).alone
    assert at_us == 0


def test_another_key_another_person_and_another_time_are_other_presses() -> None:
    sent = [press("5", 0)]

    assert len(story(sent, [press("6", 100)])) == 2
    assert len(story(sent, [press("5", 100, BOB)])) == 2
    assert len(story(sent, [press("5", LATE_US // MS + 1)])) == 2


def test_a_socket_that_names_nobody_learns_who_it_was() -> None:
    sent = [press("5", 0, ""), press("5", 200, "")]
    told = [press("5", 300, ALICE), press("5", 500, BOB)]

    assert story(sent, told) == [(ALICE, "5"), (BOB, "5")]


def test_a_masked_key_may_be_any() -> None:
    sent = [press(MASK, 0), press(MASK, 200)]

    assert keys(sent, [press("5", 300), press("6", 500)]) == MASK * 2


@dataclass(frozen=True)
class Pressed:
    raw_id: str
    key: str
    gap_ms: int
    lag_ms: int
    is_lost: bool


PRESSES = st.lists(
    st.builds(
        Pressed,
        raw_id=st.sampled_from([ALICE, BOB]),
        key=st.sampled_from("123"),
        gap_ms=st.integers(40, 4_000),
        lag_ms=st.integers(0, 30),
        is_lost=st.booleans(),
    ),
    max_size=14,
)


def told(presses: list[Pressed], lag_ms: int) -> tuple[list[Press], list[Press]]:
    """Return the story of both, nothing lost. Callbacks come in the order of keys."""
    media, callbacks, at_ms = [], [], 1_000_000
    for each in presses:
        at_ms += each.gap_ms
        media.append(press(each.key, at_ms, each.raw_id))
        callbacks.append(press(each.key, at_ms + lag_ms + each.lag_ms, each.raw_id))
    return media, callbacks


@given(PRESSES, st.integers(0, 2_900), st.booleans(), st.booleans(), st.randoms())
def test_while_one_tells_everything_the_tones_are_the_presses(
    presses: list[Pressed],
    lag_ms: int,
    loses_callbacks: bool,
    is_masked: bool,
    random: st.DrawFn,
) -> None:
    media, callbacks = told(presses, lag_ms)
    if is_masked:
        media = [replace(one, key=MASK) for one in media]
        callbacks = [replace(one, key=MASK) for one in callbacks]
    whole = [(one.raw_id, one.key) for one in media]
    lossy = callbacks if loses_callbacks else media
    lossy[:] = [
        one for one, each in zip(lossy, presses, strict=True) if not each.is_lost
    ]
    random.shuffle(media)  # type: ignore[attr-defined]
    random.shuffle(callbacks)  # type: ignore[attr-defined]

    found = story(media, callbacks)

    by_person = [[tone for tone in found if tone[0] == who] for who in (ALICE, BOB)]
    assert by_person == [
        [tone for tone in whole if tone[0] == who] for who in (ALICE, BOB)
    ]


@given(PRESSES, st.integers(0, 2_900))
def test_whoever_loses_what_there_are_never_more_tones_than_presses(
    presses: list[Pressed], lag_ms: int
) -> None:
    media, callbacks = told(presses, lag_ms)
    sent = [one for one, each in zip(media, presses, strict=True) if each.is_lost]
    others = [
        one for one, each in zip(callbacks, presses, strict=True) if not each.is_lost
    ]

    assert len(story(sent, others)) <= len(presses)
    assert pair(sent, others) == pair(sent[::-1], others[::-1])


@given(PRESSES, st.integers(0, 2_900))
def test_a_socket_that_names_nobody_loses_no_press(
    presses: list[Pressed], lag_ms: int
) -> None:
    media, callbacks = told(presses, lag_ms)
    nameless = [
        replace(one, raw_id="")
        for one, each in zip(media, presses, strict=True)
        if not each.is_lost
    ]

    assert len(story(nameless, callbacks)) == len(presses)


def test_a_flood_is_paired_in_passable_time() -> None:
    sent = [press("1", number) for number in range(3_000)]
    others = [press("1", number + 50) for number in range(3_000)]

    assert len(pair(sent, others).pairs) == 3_000
