"""What the database and ingest say of a call, as one: for sorting and filtering.

Built of every live call each second, so it holds no more than that takes. What a
browser is sent of the few on its screen is in `calls.board.rows`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from math import inf
from typing import NamedTuple
from uuid import UUID

from calls import formats
from calls.board.facts import AlarmFact, BoardFacts, CallFact
from calls.live.ingest import LiveCall, LiveProcess, callers_of
from calls.models.states import LIVE_STATES

# The same few thousand ids are worded each second.
party = lru_cache(maxsize=20_000)(formats.party)


@lru_cache(maxsize=20_000)
def search_text(*parts: str) -> str:
    """Return what a search looks into: names and raw ids, as they are and as shown."""
    return "\n".join([*parts, *map(party, parts)]).casefold()


class Measured(NamedTuple):
    """What ingest says of a call: where, and seconds since its last packet, then.

    `age` is how long ago that was.
    """

    call: LiveCall
    node: str
    quiet: float | None
    age: float = 0.0

    @property
    def heard_ago(self) -> float:
        """Return how long ago its last packet came, without end if none has."""
        return inf if self.quiet is None else self.quiet + self.age


def measured_calls(processes: Iterable[LiveProcess]) -> dict[UUID, Measured]:
    """Return the live figures of each call; after a redial, those heard last."""
    found: dict[UUID, Measured] = {}
    for process in processes:
        node, at, age = process["node"], process["at"], process.get("age", 0.0)
        for call in process["calls"]:
            heard = call["last_packet_at"]
            quiet = None if heard is None else max(at - heard, 0.0)
            key = UUID(call["call_id"])
            measured, known = Measured(call, node, quiet, age), found.get(key)
            # By ages: the clocks of two processes may differ.
            if known is None or measured.heard_ago < known.heard_ago:
                found[key] = measured
    return found


@dataclass(slots=True)
class Line:
    """What is known of one call of the table at one moment."""

    fact: CallFact
    id: UUID
    state: str
    streaming: str
    profile_id: int | None
    since: float
    from_name: str
    to_name: str
    is_over: bool
    measured: Measured | None
    node: str
    completeness: float | None
    quiet: float | None
    packets: int
    silent: int
    alarms: Sequence[AlarmFact]
    listeners: Sequence[str]
    names: Mapping[str, str]

    @property
    def silence(self) -> float | None:
        """Return the silent share of the packets that ingest counts."""
        return self.silent / self.packets if self.packets else None

    @property
    def severity(self) -> int:
        """Return that of the worst alarm; 0 is none."""
        return self.alarms[0].severity if self.alarms else 0

    @property
    def alarm_count(self) -> int:
        """Return how many alarms nobody has closed."""
        return len(self.alarms)

    @property
    def listener_count(self) -> int:
        """Return how many people listen."""
        return len(self.listeners)

    @property
    def search_text(self) -> str:
        """Return what a search looks into."""
        fact = self.fact
        people = [text for pair in self.names.items() for text in pair]
        return search_text(
            fact.from_raw_id, fact.caller_name, fact.to_raw_id, str(fact.id), *people
        )


def line(
    fact: CallFact,
    facts: BoardFacts,
    measured: Measured | None,
    listeners: Sequence[str],
    at: datetime,
) -> Line:
    """Return what is known of a call at `at`."""
    is_over = fact.state not in LIVE_STATES
    live, node, quiet = measured[:3] if measured else (None, "", None)
    if live is None and fact.last_packet_at:
        quiet = max((at - fact.last_packet_at).total_seconds(), 0.0)
    tracks = callers_of(live) if live else []
    return Line(
        fact=fact,
        id=fact.id,
        state=fact.state,
        streaming=fact.streaming_state,
        profile_id=fact.profile_id,
        since=(fact.connected_at or fact.rang_at).timestamp(),
        from_name=fact.caller_name or party(fact.from_raw_id),
        to_name=party(fact.to_raw_id),
        is_over=is_over,
        measured=measured,
        node=node,
        completeness=live["completeness"] if live else fact.completeness,
        quiet=quiet,
        packets=sum(track["packets"] for track in tracks),
        silent=sum(track["silent_packets"] for track in tracks),
        alarms=facts.alarms.get(fact.id, ()),
        listeners=listeners,
        names=facts.names.get(fact.id, {}),
    )
