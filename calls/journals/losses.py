"""What a journal that broke off cost: the gaps that begin where it ended.

An ingest process that is killed takes with it what was not on disk yet, and ACS cannot
send what is said until it has dialled again. On a track's ledger that is one gap, and
it begins where the audio of the torn journal ends. A damaged record in the middle of a
journal is the same on a smaller scale.

A loss is told by the ledger as it is when the call was last finished: a socket that
comes later, and brings what was missing, makes it smaller.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import F, Max

from calls import identity
from calls.audio.ledger import Ledger, State
from calls.journals.replay import CHUNK_SECONDS
from calls.journals.walk import JournalCount
from calls.models import AudioChunk, Connection, Loss, Track
from streaming.protocol import US

# A track that had ended so long before the journal did was not cut off by it.
PATIENCE_US = 1_000_000


@dataclass(frozen=True, slots=True)
class Cut:
    """A track's last sample before a break of a journal."""

    connection_id: UUID
    track_id: UUID
    sample: int
    is_end: bool


def cuts(count: JournalCount) -> Iterator[Cut]:
    """Yield where a journal's breaks cut off the tracks that were being heard."""
    header = count.header
    for (raw_id, rate, breaks_before), (end, arrival_us) in count.ends.items():
        if breaks_before == len(count.breaks) or raw_id == US:
            # No break follows: this is the journal's good end. And of what we said
            # nothing is a loss.
            continue
        at = count.breaks[breaks_before]
        if at.arrival_us - arrival_us <= PATIENCE_US:
            track_id = identity.track_id(header.call_id, raw_id, rate)
            yield Cut(header.connection_id, track_id, end, at.is_end)


def missing_after(ledger: Ledger, sample: int) -> int | None:
    """Return how long the gap is that begins at `sample`, in samples.

    0 if audio follows, or what follows was not asked for. None if the track ends.
    """
    missing = 0
    for run in ledger.runs_in(sample, ledger.samples):
        if not run.state.is_missing:
            return missing
        if run.state is State.GAP:
            missing += run.samples
    return missing or None


def journal_end(count: JournalCount) -> Connection.JournalEnd:
    """Return what a journal that was read turned out to be."""
    if not count.breaks:
        return Connection.JournalEnd.SEALED
    if count.breaks[-1].is_end:
        return Connection.JournalEnd.TORN
    return Connection.JournalEnd.DAMAGED


def losses_store(
    call_id: UUID, counts: Sequence[JournalCount], ledgers: Mapping[UUID, Ledger]
) -> None:
    """Write what the journals `counts` were cut off from, and measure all losses anew.

    `ledgers` are those of the tracks of the call, by track. Part of finishing's
    transaction; run again, it writes the same.
    """
    for end in Connection.JournalEnd:
        sockets = [
            one.header.connection_id for one in counts if journal_end(one) == end
        ]
        Connection.objects.filter(pk__in=sockets).update(journal_end=end)
    Loss.objects.bulk_create(
        [
            Loss(
                connection_id=cut.connection_id,
                track_id=cut.track_id,
                start_sample=cut.sample,
                is_end=cut.is_end,
            )
            for count in counts
            for cut in cuts(count)
        ],
        ignore_conflicts=True,
    )
    # Of a track whose recording was removed nothing is left to measure.
    losses = list(
        Loss.objects.filter(connection__call_id=call_id, track_id__in=ledgers)
    )
    for loss in losses:
        loss.samples = missing_after(ledgers[loss.track_id], loss.start_sample)
    Loss.objects.bulk_update(losses, ["samples"], batch_size=500)


def lost_seconds(losses: Iterable[Loss]) -> float | None:
    """Return what the track that lost most has lost, in seconds.

    Their tracks must be loaded. None if of no loss it is known how long it is.
    """
    of_track: dict[UUID, float] = {}
    for loss in losses:
        if loss.seconds is not None:
            of_track[loss.track_id] = of_track.get(loss.track_id, 0) + loss.seconds
    return max(of_track.values(), default=None)


def call_losses(call_id: UUID) -> list[Loss]:
    """Return the losses of a call, with what of their tracks `Loss.seconds` needs."""
    losses = Loss.objects.filter(connection__call_id=call_id).select_related("track")
    return list(losses.defer("track__ledger"))


def missing_by_index(
    sockets: Sequence[UUID], tracks: Iterable[Track]
) -> dict[UUID, float]:
    """Return how much at most is missing behind sockets nobody has recovered yet.

    In seconds, by what ingest last wrote of their tracks: the index says where their
    audio ended some seconds before they broke off, the ledger when it went on. The
    journal has a part of that gap. Sockets of which this cannot be told are left out.
    """
    if not sockets:
        return {}
    known = {track.pk: track for track in tracks if track.ledger}
    ends = (
        AudioChunk.objects.filter(connection__in=sockets, track__in=known)
        .order_by()
        .values_list("connection_id", "track_id")
        .annotate(end=Max(F("start_sample") + F("samples")))
    )
    found: dict[UUID, float] = {}
    for connection_id, track_id, end in ends:
        track = known[track_id]
        ledger = Ledger.from_json(track.ledger)
        missing = missing_after(ledger, _next_hole(ledger, end))
        if missing:
            seconds = missing / track.sample_rate
            found[connection_id] = max(found.get(connection_id, 0), seconds)
    return found


def _next_hole(ledger: Ledger, sample: int) -> int:
    """Return where the first gap begins at or soon after `sample`, else `sample`.

    A chunk with a gap in it has less audio than it is long: its end lies later.
    """
    for run in ledger.runs_in(sample, sample + CHUNK_SECONDS * ledger.rate):
        if run.state.is_missing:
            return run.start
    return sample
