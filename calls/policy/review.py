"""What is odd about a list of answering rules: faults, and rules never reached."""

from collections.abc import Iterable, Sequence
from datetime import time

from calls.models.policy import AnswerRule
from calls.policy.deciding import open_at
from calls.policy.patterns import covers, patterns_of


def oddities(rules: Sequence[AnswerRule]) -> dict[int, list[str]]:
    """Return what an operator should know of each rule, by its key.

    That a rule is never reached is said when one single rule before it takes every
    call it could take. Several that do so only together are not found.
    """
    found: dict[int, list[str]] = {}
    working: list[AnswerRule] = []
    for rule in rules:
        faults = [f"Not applied: {words}" for words in rule.faults().values()]
        if rule.enabled and not faults:
            faults = list(_hidden(rule, working))
            working.append(rule)
        if faults:
            found[rule.pk] = faults
    return found


def _hidden(rule: AnswerRule, before: Sequence[AnswerRule]) -> Iterable[str]:
    for other in before:
        if other.share == 100 and _takes_all_of(other, rule):
            same = _takes_all_of(rule, other)
            what = "the same calls" if same else "all of its calls"
            yield f"Never reached: “{other.name}” before it takes {what}."
            return


def _takes_all_of(wide: AnswerRule, narrow: AnswerRule) -> bool:
    return (
        covers(patterns_of(wide.called), patterns_of(narrow.called))
        and covers(patterns_of(wide.calling), patterns_of(narrow.calling))
        and _open_whenever(wide, narrow)
    )


def _open_whenever(wide: AnswerRule, narrow: AnswerRule) -> bool:
    """Say whether `wide` is surely open whenever `narrow` is."""
    if not wide.weekdays and wide.starts_at is None:
        return True
    if wide.time_zone != narrow.time_zone:
        return False
    # Between two of these moments of a week neither rule opens or closes.
    moments = {time.min}
    for rule in (wide, narrow):
        moments |= {at for at in (rule.starts_at, rule.ends_at) if at is not None}
    return all(
        open_at(wide, day, at)
        for day in range(1, 8)
        for at in moments
        if open_at(narrow, day, at)
    )
