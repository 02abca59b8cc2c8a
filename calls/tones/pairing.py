"""One press, told twice: which tones of the socket and which callbacks are the same.

Both ways of telling drop tones now and then, and neither says which of its tones is
which of the other's. Each tells what it tells in the order of the presses. So the two
are aligned like two copies of a text with letters missing: in order, as many as can be,
and among those alignments the one whose times agree best. Two tones may be the same if

- the key is the same, or masked on either side;
- the participant is the same, or one side names nobody;
- the callback's time is from `EARLY_US` before the tone's to `LATE_US` after it.

Of each press that both told there is one tone then. While one of both tells everything,
the tones are exactly the presses, in their order. Should each have lost another press
of the same key within seconds, those two count as one: nobody could know better.

No Django; no clock: the times are the tellers' own, so it does not matter when, in
which order and how often something arrived.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from streaming.protocol import MASK

# A callback is told after the press; the clocks of both ends may differ a little.
EARLY_US = 1_000_000
LATE_US = 3_000_000
# A flood is no dialling: beyond so many comparisons the first that fit are paired.
MOST_COMPARED = 250_000


@dataclass(frozen=True, slots=True)
class Press:
    """A key as one of both told it. `raw_id` is empty where nobody is named."""

    id: UUID
    raw_id: str
    key: str = field(repr=False)
    at_us: int
    number: int = 0


# Of one participant, or of nobody: the socket's tones, and the callbacks.
Sides = tuple[list[Press], list[Press]]


@dataclass(frozen=True, slots=True)
class Pairing:
    """`pairs`: by a socket's tone, the callback that told it too.

    `alone`: the callbacks of tones that no socket told, with the time of the press as
    far as it can be known.
    """

    pairs: dict[UUID, Press]
    alone: list[tuple[Press, int]]


class _Score(NamedTuple):
    pairs: int
    # Less the disagreement of their times, in µs.
    agreement: int


_NONE = _Score(0, 0)


def pair(media: Iterable[Press], callbacks: Iterable[Press]) -> Pairing:
    """Return which tones and callbacks are the same presses."""
    pairs: dict[UUID, Press] = {}
    named: defaultdict[str, Sides] = defaultdict(lambda: ([], []))
    for side, presses in enumerate((media, callbacks)):
        for press in sorted(presses, key=_order):
            named[press.raw_id][side].append(press)
    for raw_id, (mine, theirs) in named.items():
        if raw_id:
            pairs |= _pair(mine, theirs)
    nameless_mine, nameless_theirs = named[""]
    pairs |= _pair(nameless_mine, _left(named.values(), 1, pairs))
    pairs |= _pair(_left(named.values(), 0, pairs), nameless_theirs)
    return Pairing(pairs, list(_alone(named.values(), pairs)))


def _order(press: Press) -> tuple[int, int, str]:
    return press.at_us, press.number, str(press.id)


def _left(named: Iterable[Sides], side: int, pairs: dict[UUID, Press]) -> list[Press]:
    """Return all of one teller's tones that have no pair yet, in order."""
    taken = pairs.keys() | {press.id for press in pairs.values()}
    presses = chain.from_iterable(sides[side] for sides in named)
    return sorted((one for one in presses if one.id not in taken), key=_order)


def _pair(mine: Sequence[Press], theirs: Sequence[Press]) -> dict[UUID, Press]:
    """Pair two ordered stories, stretch by stretch: nobody pairs across a silence."""
    pairs: dict[UUID, Press] = {}
    for one, other in _stretches(mine, theirs):
        if len(one) * len(other) > MOST_COMPARED:
            pairs |= _first_thatfit(one, other)
        elif one and other:
            pairs |= _aligned(one, other)
    return pairs


def _stretches(
    mine: Sequence[Press], theirs: Sequence[Press]
) -> Iterable[tuple[list[Press], list[Press]]]:
    both = [(press, 0) for press in mine] + [(press, 1) for press in theirs]
    stretch: tuple[list[Press], list[Press]] = ([], [])
    last_us = 0
    for press, side in sorted(both, key=lambda each: _order(each[0])):
        if press.at_us - last_us > LATE_US:
            yield stretch
            stretch = ([], [])
        stretch[side].append(press)
        last_us = press.at_us
    yield stretch


def fit(mine: Press, theirs: Press) -> int | None:
    """Return how badly the times of two tellings agree; None: two presses."""
    lag = theirs.at_us - mine.at_us
    if not -EARLY_US <= lag <= LATE_US:
        return None
    if mine.raw_id and theirs.raw_id and mine.raw_id != theirs.raw_id:
        return None
    if mine.key != theirs.key and MASK not in (mine.key, theirs.key):
        return None
    # Told before it happened is possible only in that the clocks differ.
    return lag if lag >= 0 else -4 * lag


def _aligned(mine: Sequence[Press], theirs: Sequence[Press]) -> dict[UUID, Press]:
    """Return the longest alignment; of those, the one whose times agree best."""
    best = [[_NONE] * (len(theirs) + 1) for _ in range(len(mine) + 1)]
    for i, one in enumerate(mine, 1):
        for j, other in enumerate(theirs, 1):
            best[i][j] = max(best[i - 1][j], best[i][j - 1])
            if (cost := fit(one, other)) is not None:
                pairs, agreement = best[i - 1][j - 1]
                best[i][j] = max(best[i][j], _Score(pairs + 1, agreement - cost))
    pairs_of = {}
    i, j = len(mine), len(theirs)
    while i and j:
        if best[i][j] == best[i - 1][j]:
            i -= 1
        elif best[i][j] == best[i][j - 1]:
            j -= 1
        else:
            i, j = i - 1, j - 1
            pairs_of[mine[i].id] = theirs[j]
    return pairs_of


def _first_thatfit(mine: Sequence[Press], theirs: Sequence[Press]) -> dict[UUID, Press]:
    pairs, at = {}, 0
    for one in mine:
        while at < len(theirs) and theirs[at].at_us < one.at_us - EARLY_US:
            at += 1
        if at < len(theirs) and fit(one, theirs[at]) is not None:
            pairs[one.id] = theirs[at]
            at += 1
    return pairs


def _alone(
    named: Iterable[Sides], pairs: dict[UUID, Press]
) -> Iterable[tuple[Press, int]]:
    """Yield callbacks without a pair and when their keys were pressed.

    A callback tells later than it happened: by as much as the last pair's did. Between
    two presses of known times it stays between them.
    """
    told_us = {press.id: press.at_us for mine, _ in named for press in mine}
    known = {press.id: told_us[one] for one, press in pairs.items()}
    for _, theirs in named:
        yield from _timed(theirs, known)


def _timed(
    theirs: Sequence[Press], known: dict[UUID, int]
) -> Iterable[tuple[Press, int]]:
    lags = (press.at_us - known[press.id] for press in theirs if press.id in known)
    lag = next(lags, 0)
    last_us: int | None = None
    for press, ahead_us in zip(theirs, _aheads(theirs, known), strict=True):
        if press.id in known:
            last_us = known[press.id]
            lag = press.at_us - last_us
            continue
        pressed_us = press.at_us - lag
        if last_us is not None:
            pressed_us = max(pressed_us, last_us + 1)
        if ahead_us is not None:
            pressed_us = min(pressed_us, ahead_us)
        last_us = pressed_us
        yield press, pressed_us


def _aheads(theirs: Sequence[Press], known: dict[UUID, int]) -> list[int | None]:
    """Return the latest that each press can have been, by the next one known."""
    aheads: list[int | None] = []
    ahead: int | None = None
    for press in reversed(theirs):
        ahead = known.get(press.id, None if ahead is None else ahead - 1)
        aheads.append(ahead)
    return aheads[::-1]
