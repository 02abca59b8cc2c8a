"""The filters of the problem inbox, and how many alarms each choice would show."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import QueryDict
from django.utils.translation import gettext as _

from calls.alarms.types import ChipJson
from calls.models import AlarmKind, AlarmState, Severity

MINE = "mine"
CLOSED = AlarmState.CLOSED.value
STATES = (AlarmState.OPEN.value, AlarmState.ACKNOWLEDGED.value, MINE, CLOSED)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The filters of the inbox, as in its address. What makes no sense is no filter."""

    severities: frozenset[int] = frozenset()
    kinds: frozenset[str] = frozenset()
    state: str = ""
    live: bool = False
    text: str = ""
    call: UUID | None = None
    page: int = 1


def wanted_of(query: QueryDict) -> Wanted:
    """Read the filters of an address."""
    given = {name: str(query.get(name, "")) for name in ("state", "live", "q", "page")}
    page = given["page"]
    return Wanted(
        severities=frozenset(
            severity.value
            for severity in Severity
            if str(severity.value) in _parts(query, "severity")
        ),
        kinds=frozenset(_parts(query, "kind") & set(AlarmKind.values)),
        state=given["state"] if given["state"] in STATES else "",
        live=given["live"] == "1",
        text=given["q"].replace("\0", "").strip()[:100],
        call=_uuid(str(query.get("call", ""))),
        page=int(page) if page.isascii() and page.isdigit() and len(page) < 7 else 1,
    )


def _parts(query: QueryDict, name: str) -> set[str]:
    return set(str(query.get(name, "")).split(","))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


# --- counts on the filters --------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Group:
    """Alarms that no filter tells apart, and how many they are."""

    severity: int
    kind: str
    state: str
    mine: bool
    live: bool
    number: int

    def fits(self, wanted: Wanted, *, but: str = "") -> bool:
        """Say whether the filters, but one of them, show these."""
        return all(name == but or is_met for name, is_met in self._met(wanted).items())

    def _met(self, wanted: Wanted) -> Mapping[str, bool]:
        return {
            "severity": not wanted.severities or self.severity in wanted.severities,
            "kind": not wanted.kinds or self.kind in wanted.kinds,
            "state": not wanted.state or self.is_in(wanted.state),
            "live": not wanted.live or self.live,
        }

    def is_in(self, state: str) -> bool:
        """Say whether a choice of the state's filter shows these."""
        return self.mine if state == MINE else self.state == state


def chips(groups: Sequence[Group], wanted: Wanted) -> dict[str, list[ChipJson]]:
    """Return the choices of each filter. A kind that is not there has no chip."""
    severities = _tally(groups, wanted, "severity", lambda one: [str(one.severity)])
    kinds = _tally(groups, wanted, "kind", lambda one: [one.kind])
    states = _tally(groups, wanted, "state", lambda one: filter(one.is_in, STATES))
    live = _tally(groups, wanted, "live", lambda one: ["1"] if one.live else [])
    labels = {
        AlarmState.OPEN.value: AlarmState.OPEN.label,
        AlarmState.ACKNOWLEDGED.value: AlarmState.ACKNOWLEDGED.label,
        MINE: _("Mine"),
        CLOSED: AlarmState.CLOSED.label,
    }
    return {
        "severity": [
            _chip(str(one.value), one.label, severities, one.value in wanted.severities)
            for one in sorted(Severity, reverse=True)
        ],
        "state": [
            _chip(
                state,
                labels[state],
                # Closed alarms and the others are not looked at together.
                states if (state == CLOSED) == (wanted.state == CLOSED) else None,
                state == wanted.state,
            )
            for state in STATES
        ],
        "live": [_chip("1", _("Live calls"), live, wanted.live)],
        "kind": [
            _chip(kind.value, kind.label, kinds, kind.value in wanted.kinds)
            for kind in AlarmKind
            if kinds[kind.value] or kind.value in wanted.kinds
        ],
    }


def _tally(
    groups: Iterable[Group],
    wanted: Wanted,
    name: str,
    values: Callable[[Group], Iterable[str]],
) -> Counter[str]:
    counts: Counter[str] = Counter()
    for group in groups:
        if group.fits(wanted, but=name):
            for value in values(group):
                counts[value] += group.number
    return counts


def _chip(
    value: str, label: Any, counts: Counter[str] | None, chosen: bool
) -> ChipJson:
    return {
        "value": value,
        "label": str(label),
        "count": None if counts is None else counts[value],
        "chosen": chosen,
    }
