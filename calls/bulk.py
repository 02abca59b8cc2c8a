"""One order for many calls: what it would do to each, and doing it."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from django.db.models import Count, QuerySet

from calls import control, formats
from calls.control.sending import COST
from calls.models import Call, CommandKind, CommandState, StreamCommand
from calls.models.control import OPEN_COMMAND_STATES
from calls.offers import refusals
from calls.orders import ORDERS, CommandRefused, Given

Ask = Callable[..., StreamCommand]

# More than anyone can look through before saying yes.
MOST_CALLS = 2000


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order would do to the chosen calls, and to which not, by reason."""

    kind: CommandKind
    would: Sequence[Call]
    skipped: Sequence[tuple[str, Sequence[Call]]]

    @property
    def skipped_count(self) -> int:
        """How many of the chosen calls are left alone."""
        return sum(len(calls) for _, calls in self.skipped)

    @property
    def seconds(self) -> float:
        """How long it takes to send it all under the rate limit, if nothing else is."""
        if ORDERS[self.kind].told != "ACS":
            return 0.0
        return sending_seconds(len(self.would))


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a bulk action is."""

    bulk_id: UUID
    kind: CommandKind
    # How many calls it is about; some may have been given a second command with it.
    calls: int
    counts: Sequence[tuple[CommandState, int]]

    @property
    def total(self) -> int:
        """How many commands it has."""
        return sum(number for _, number in self.counts)

    @property
    def open(self) -> int:
        """How many are not settled yet."""
        return sum(n for state, n in self.counts if state in OPEN_COMMAND_STATES)

    @property
    def words(self) -> str:
        """Return the counts as one sentence."""
        parts = [
            f"{formats.count(number)} {state.label.lower()}"
            for state, number in self.counts
            if number
        ]
        end = f"{formats.count(self.open)} to go." if self.open else "All are settled."
        return f"{', '.join(parts)}. {end}"


def sending_seconds(orders: int) -> float:
    """Return how many seconds ACSSTREAM_ACS_RATE makes so many orders take."""
    rate: float = settings.ACS_RATE
    return orders * COST / rate if rate else 0.0


def bulk_look(calls: Sequence[Call], kind: CommandKind, arguments: Given) -> Preview:
    """Return what `kind` would do to each call: one query, however many calls.

    Raises `CommandRefused` if the arguments are no good for any call.
    """
    reasons = refusals(calls, kind, arguments)
    skipped: dict[str, list[Call]] = defaultdict(list)
    for call in calls:
        if reasons[call.pk]:
            skipped[reasons[call.pk]].append(call)
    return Preview(
        kind=kind,
        would=[call for call in calls if not reasons[call.pk]],
        # What skips most stands first.
        skipped=sorted(skipped.items(), key=lambda each: -len(each[1])),
    )


def bulk_give(
    calls: QuerySet[Call],
    kind: CommandKind,
    *,
    bulk_id: UUID,
    arguments: Given,
    ask: Ask = control.command_ask,
) -> dict[str, list[Call]]:
    """Ask for `kind` for each call under one `bulk_id`; return who was skipped, by why.

    `ask` is `control.command_ask`, or it in somebody's name.

    Asking again with the same `bulk_id`, as after a fault half-way, asks only for the
    calls it has no command for.
    """
    done = StreamCommand.objects.filter(bulk_id=bulk_id).values("call")
    skipped: dict[str, list[Call]] = defaultdict(list)
    for call in calls.exclude(pk__in=done):
        try:
            ask(call=call, kind=kind, arguments=arguments, bulk_id=bulk_id)
        except CommandRefused as refusal:
            skipped[str(refusal)].append(call)
    return skipped


def bulk_progress(bulk_id: UUID) -> Progress | None:
    """Return how far a bulk action is; None if there is no such."""
    commands = StreamCommand.objects.filter(bulk_id=bulk_id).order_by()
    found = dict(commands.values_list("state").annotate(number=Count("pk")))
    # What was asked for itself comes before what follows from it.
    first = commands.order_by("asked_at").first()
    if first is None:
        return None
    calls = commands.aggregate(number=Count("call", distinct=True))["number"]
    counts = [(state, found.get(state, 0)) for state in CommandState]
    return Progress(bulk_id, CommandKind(first.kind), calls, counts)
