"""The dashboard's snapshot: database and live figures in one picture.

`Picture` is what is true now, once for all who watch; `Picture.board` is what one of
them sees of it. A snapshot is whole: a page that missed ten of them is right again with
the next.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from calls.board.facts import BoardFacts
from calls.board.line import Line, line, measured_calls
from calls.board.rows import call_row, ended_row, node_rows
from calls.board.types import Board, Cards, EndedRow, NodeRow, TrackRow, Trend
from calls.board.view import View, rows_ordered
from calls.live.ingest import LiveProcess
from calls.models import Severity


class Picture:
    """What is known at one moment. `processes` None: the live feed is down.

    `listeners` are names by call id; `reason` says what is down, and what ingest cannot
    reach is added to it. `stored` and `trend` are added by who has them.
    """

    def __init__(
        self,
        facts: BoardFacts,
        processes: Sequence[LiveProcess] | None,
        *,
        at: datetime,
        workers: int | None = None,
        reason: str = "",
        listeners: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.facts = facts
        self.at = at
        self.is_live = processes is not None
        self.stored: Mapping[UUID, list[TrackRow]] = {}
        self.trend: Trend | None = None
        said = processes or []
        measured = measured_calls(said)
        heard = listeners or {}
        self.lines = [
            line(fact, facts, measured.get(fact.id), heard.get(str(fact.id), ()), at)
            for fact in facts.calls
        ]
        self.reason = " ".join(filter(None, [reason, *_database_faults(said)]))
        self.cards = _cards(facts, processes, self.lines, workers)
        self.nodes: list[NodeRow] = node_rows(said)
        self.node_names = sorted({one["node"] for one in said})
        self.ended: list[EndedRow] = [
            ended_row(call, facts.silence.get(call.pk)) for call in facts.ended
        ]
        self._ordered: dict[View, list[Line]] = {}

    def ordered(self, view: View) -> list[Line]:
        """Return the rows that match; equal views of several viewers cost once."""
        order = view.order
        if order not in self._ordered:
            self._ordered[order] = rows_ordered(self.lines, order)
        # A call that is over for long is on the screen of who selected it, and of no
        # other.
        others = self.facts.asked - {view.selected}
        ordered = self._ordered[order]
        return [row for row in ordered if row.id not in others] if others else ordered

    def window(self, view: View) -> tuple[int, list[Line]]:
        """Return the rows on a viewer's screen, and the place of the first.

        A screen beyond the end, because rows have gone, shows the last ones.
        """
        ordered = self.ordered(view)
        first = max(min(view.first, len(ordered) - view.count), 0)
        return first, ordered[first : first + view.count]

    def unmeasured(self, view: View) -> set[UUID]:
        """Return the calls on a viewer's screen of which ingest says nothing."""
        _, rows = self.window(view)
        return {row.id for row in rows if row.measured is None}

    def board(self, view: View) -> Board:
        """Return what one viewer sees, but for the trend."""
        first, rows = self.window(view)
        return {
            "at": self.at.timestamp(),
            "live": self.is_live,
            "reason": self.reason,
            "number": view.number,
            "cards": self.cards,
            "nodes": self.nodes,
            "node_names": self.node_names,
            "first": first,
            "total": len(self.ordered(view)),
            "matching": sum(not row.is_over for row in self.ordered(view)),
            "calls": [call_row(row, self.facts, self.stored) for row in rows],
            "ended": self.ended,
        }


def _database_faults(processes: Sequence[LiveProcess]) -> list[str]:
    """Return what to tell of nodes whose ingest cannot reach the database."""
    # A process of an older release does not say.
    nodes = sorted({one["node"] for one in processes if one.get("database")})
    return [
        f"Ingest on {node} cannot reach the database; recording goes on."
        for node in nodes
    ]


def _cards(
    facts: BoardFacts,
    processes: Sequence[LiveProcess] | None,
    lines: Sequence[Line],
    workers: int | None,
) -> Cards:
    said = processes or []
    known = processes is not None
    # Rows of calls that have just ended fade; they count no more.
    running = [one for one in lines if not one.is_over]
    packets = sum(one.packets for one in running)
    alarms = [alarm for one in running for alarm in one.alarms]
    return {
        "live_calls": facts.live,
        "streams": sum(one["streams"] for one in said) if known else None,
        "packets_per_second": sum(one["packets_per_second"] for one in said)
        if known
        else None,
        "silence_ratio": sum(one.silent for one in running) / packets
        if packets
        else None,
        "alarms": len(alarms),
        "critical": sum(alarm.severity >= Severity.CRITICAL for alarm in alarms),
        "incomplete": facts.incomplete,
        "workers": workers,
        "redis": known,
        "processes": len(said) if known else facts.processes,
        "processes_dead": facts.processes_dead,
        "refused": sum(one["refused"] for one in said) if known else None,
        "journal_pending_bytes": sum(one["journal"]["pending_bytes"] for one in said)
        if known
        else None,
        "journal_error": next(
            (error for one in said if (error := one["journal"]["error"])), ""
        ),
    }
