"""What becomes of a call that rings: the first rule that matches it decides.

Pure: rules, a ring and its time go in, a decision with its reasons comes out. Without
a rule that matches, the call is answered with the default profile.

A rule with a fault (stored by older code or by hand) is passed over, and that is said:
a typing error must not leave a phone ringing.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time
from fractions import Fraction
from zoneinfo import ZoneInfo

from calls import formats
from calls.models.policy import AnswerRule
from calls.models.profiles import StreamingProfile
from calls.policy.patterns import matching, patterns_of
from calls.policy.words import DAYS, hours

DEFAULT_WORDS = "No rule matches: it is answered with the default profile."


@dataclass(frozen=True, slots=True)
class Ring:
    """A call that rings. `key` is drawn from: the same for all news of one call."""

    from_raw_id: str
    to_raw_id: str
    at: datetime
    key: str = ""


@dataclass(frozen=True, slots=True)
class Considered:
    """One rule that was asked, and why it did or did not match, in words."""

    rule: AnswerRule
    matched: bool
    why: str


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a call. Without a `profile` it is the default one's."""

    action: AnswerRule.Action
    rule: AnswerRule | None
    profile: StreamingProfile | None
    reason: str
    considered: tuple[Considered, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What may become of a call, with its chance in percent."""

    chance: Fraction
    rule: AnswerRule | None
    action: AnswerRule.Action
    profile: StreamingProfile | None


@dataclass(frozen=True, slots=True)
class Forecast:
    """All that may become of a call whose draws are not known yet."""

    outcomes: tuple[Outcome, ...]
    considered: tuple[Considered, ...]


def decide(ring: Ring, rules: Iterable[AnswerRule]) -> Decision:
    """Ask `rules` in the order given, up to and with the first that takes the call."""
    considered: list[Considered] = []
    for rule in rules:
        asked = _consider(rule, ring)
        if asked.matched and rule.share < 100:
            asked = _draw(rule, ring, asked.why)
        considered.append(asked)
        if asked.matched:
            reason = f"Rule “{rule.name}”: {asked.why}"
            action = AnswerRule.Action(rule.action)
            return Decision(action, rule, _profile(rule), reason, tuple(considered))
    answer = AnswerRule.Action.ANSWER
    return Decision(answer, None, None, DEFAULT_WORDS, tuple(considered))


def forecast(ring: Ring, rules: Iterable[AnswerRule]) -> Forecast:
    """Say what may become of a call, each with its chance.

    Outcomes are in the order of the rules. Draws of different rules are independent.
    """
    left = Fraction(100)
    outcomes: list[Outcome] = []
    considered: list[Considered] = []
    for rule in rules:
        asked = _consider(rule, ring)
        considered.append(asked)
        if not asked.matched:
            continue
        taken = left * rule.share / 100
        action = AnswerRule.Action(rule.action)
        outcomes.append(Outcome(taken, rule, action, _profile(rule)))
        left -= taken
        if not left:
            break
    if left:
        outcomes.append(Outcome(left, None, AnswerRule.Action.ANSWER, None))
    return Forecast(tuple(outcomes), tuple(considered))


def _profile(rule: AnswerRule) -> StreamingProfile | None:
    return rule.profile if rule.action == AnswerRule.Action.ANSWER else None


def _consider(rule: AnswerRule, ring: Ring) -> Considered:
    """Ask one rule, all but its share."""
    if not rule.enabled:
        return Considered(rule, False, "It is switched off.")
    faults = rule.faults()
    if faults:
        return Considered(rule, False, f"It has a fault: {' '.join(faults.values())}")
    because: list[str] = []
    for asked, words in (
        _party("called", rule.called, ring.to_raw_id),
        _party("calling", rule.calling, ring.from_raw_id),
        _time(rule, ring.at),
    ):
        if not asked:
            return Considered(rule, False, words)
        if words:
            because.append(words)
    return Considered(rule, True, " ".join(because) or "It takes every call.")


def _party(which: str, field: str, raw_id: str) -> tuple[bool, str]:
    patterns = patterns_of(field)
    if not patterns:
        return True, ""
    shown = formats.party(raw_id) or "unknown"
    pattern = matching(patterns, raw_id)
    if pattern is None:
        return False, f"The {which} party ({shown}) is not {' or '.join(patterns)}."
    return True, f"The {which} party matches {pattern}."


def _time(rule: AnswerRule, at: datetime) -> tuple[bool, str]:
    if not rule.weekdays and rule.starts_at is None:
        return True, ""
    local = at.astimezone(ZoneInfo(rule.time_zone))
    is_open = open_at(rule, local.isoweekday(), local.time())
    shown = f"{DAYS[local.isoweekday() - 1]} {local:%H:%M} in {rule.time_zone}"
    inside = "within" if is_open else "not within"
    return is_open, f"{shown} is {inside} {hours(rule)}."


def open_at(rule: AnswerRule, weekday: int, now: time) -> bool:
    """Say whether a rule is open by its wall clock. Monday is 1.

    Wall clocks skip an hour in spring and tell one twice in autumn; a window is open
    whenever the clock on the wall shows a time in it.
    """
    day = weekday
    start, end = rule.starts_at, rule.ends_at
    if start is not None and end is not None:
        if start < end and not start <= now < end:
            return False
        if end < start:
            if end <= now < start:
                return False
            # What began yesterday counts as yesterday's.
            day = weekday if now >= start else (weekday - 2) % 7 + 1
    return not rule.weekdays or str(day) in rule.weekdays


def _draw(rule: AnswerRule, ring: Ring, why: str) -> Considered:
    """Let a call's own ids decide whether it is in a rule's share.

    A hash is as good as a die, and shows the same number when the event comes again.
    The rule is part of it: of two rules with a half each, the second gets a half of
    what the first left, not nothing.
    """
    text = f"{rule.pk}\n{ring.key}".encode()
    number = int.from_bytes(hashlib.sha256(text).digest()[:8], "big")
    drawn = Fraction(number * 100, 2**64)
    is_in = drawn < rule.share
    shown = f"It drew {float(drawn):.1f} of 100, and the share is {rule.share} %."
    return Considered(rule, is_in, f"{why} {shown}")
