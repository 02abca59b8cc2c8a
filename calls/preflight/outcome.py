"""What a check is, what it may find, and how one is run."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

log = logging.getLogger(__name__)


class Status(StrEnum):
    """`warning` works, but not for long or not well; `unknown` could not be told."""

    GREEN = "green"
    WARNING = "warning"
    RED = "red"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a check found: one sentence, and one piece of advice where one is due."""

    status: Status
    sentence: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Check:
    """One line of preflight. `name` is for the command line and for addresses."""

    name: str
    title: str
    group: str
    look: Callable[[], Outcome]


@dataclass(frozen=True, slots=True)
class Result:
    """A check that was run, and the milliseconds it took."""

    check: Check
    outcome: Outcome
    ms: int

    def as_json(self) -> dict[str, str | int]:
        """Return it for `--json` and for the page."""
        return {
            "name": self.check.name,
            "title": self.check.title,
            "group": self.check.group,
            "status": self.outcome.status.value,
            "sentence": self.outcome.sentence,
            "advice": self.outcome.advice,
            "ms": self.ms,
        }


def green(sentence: str) -> Outcome:
    """Return that all is well."""
    return Outcome(Status.GREEN, sentence)


def warning(sentence: str, advice: str) -> Outcome:
    """Return that it works, and what should be done all the same."""
    return Outcome(Status.WARNING, sentence, advice)


def red(sentence: str, advice: str) -> Outcome:
    """Return what does not work, and what to do."""
    return Outcome(Status.RED, sentence, advice)


def unknown(sentence: str) -> Outcome:
    """Return why it cannot be told. Advice belongs to the check that is to blame."""
    return Outcome(Status.UNKNOWN, sentence)


def run(check: Check) -> Result:
    """Run one check, which takes seconds at most. A fault in it is unknown, not red."""
    began = time.monotonic()
    try:
        outcome = check.look()
    except Exception as exc:
        # An edge: one check that breaks must not take the others with it.
        log.exception("preflight: %s broke", check.name)
        outcome = unknown(f"The check itself failed ({type(exc).__name__}): see logs.")
    return Result(check, outcome, round((time.monotonic() - began) * 1000))
