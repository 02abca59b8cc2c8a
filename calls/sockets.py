"""What became of a call's sockets, in words: which broke off, and what that cost.

The words claim no more than journals and ledgers show. A gap behind a torn journal is
what was received and not on disk yet together with what ACS could not send while no
socket was open: only their sum is known, so only their sum is told.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from calls import formats
from calls.journals.losses import lost_seconds, missing_by_index
from calls.models import Connection, Loss, Track

JournalEnd = Connection.JournalEnd
JournalState = Connection.JournalState

UNTOLD = (
    "Of a gap behind a socket that broke off, the beginning may have reached us and not"
    " the disk (journals are written every 100 ms); the rest was said while no socket"
    " was open. The two cannot be told apart."
)


@dataclass(frozen=True, slots=True)
class SocketRow:
    """A socket, sentences on what went wrong with it, and what each track lost."""

    connection: Connection
    sentences: Sequence[str]
    losses: Sequence[Loss]

    @property
    def is_bad(self) -> bool:
        """Say whether audio or text is missing because of it, or may be."""
        socket = self.connection
        return (
            socket.unjournaled > 0
            or socket.journal_state in (JournalState.TORN, JournalState.MISSING)
            or any(loss.seconds != 0 for loss in self.losses)
            # What came over it last is on no ledger: nobody can say that all is here.
            or (
                socket.kind == Connection.Kind.TRANSCRIPTION
                and socket.journal_end in (JournalEnd.TORN, JournalEnd.DAMAGED)
            )
        )

    @property
    def happened(self) -> str:
        """Return in a few words what kind of trouble it was."""
        socket = self.connection
        if socket.journal_state == JournalState.MISSING:
            return "A journal is missing"
        if "torn" in (socket.journal_state, socket.journal_end):
            return "A socket broke off"
        if socket.journal_end == JournalEnd.DAMAGED:
            return "A journal was damaged"
        return "The disk did not keep up"

    @property
    def ended_at(self) -> datetime:
        """Return when the last of it arrived, as far as that is known."""
        return self.connection.closed_at or self.connection.opened_at


def socket_rows(
    connections: Sequence[Connection], tracks: Sequence[Track]
) -> list[SocketRow]:
    """Return the sockets of one call, whose `tracks` these are, with what they cost."""
    of_track = {track.pk: track for track in tracks}
    of_socket: dict[UUID, list[Loss]] = {}
    for loss in Loss.objects.filter(connection__in=connections):
        loss.track = of_track[loss.track_id]
        of_socket.setdefault(loss.connection_id, []).append(loss)
    waiting = [one.pk for one in connections if one.journal_state == JournalState.TORN]
    estimates = missing_by_index(waiting, tracks)
    rows = []
    for socket in connections:
        losses = of_socket.get(socket.pk, [])
        losses.sort(key=lambda loss: loss.seconds or 0, reverse=True)
        told = list(_sentences(socket, losses, estimates.get(socket.pk)))
        rows.append(SocketRow(socket, told, losses))
    return rows


def _sentences(
    socket: Connection, worst: Sequence[Loss], estimate: float | None
) -> Iterator[str]:
    if socket.kind == Connection.Kind.TRANSCRIPTION:
        yield from _of_text(socket)
        return
    if socket.journal_state == JournalState.MISSING:
        yield (
            f"Its journal was not found on node {socket.node}:"
            f" {formats.count(socket.packets)} packets are in no recording."
        )
    elif socket.journal_state == JournalState.TORN:
        yield _waiting(estimate)
    elif socket.journal_end == JournalEnd.TORN:
        cost = _cost([loss for loss in worst if loss.is_end])
        yield f"Its ingest process died. Recovered{cost}."
    if damage := [loss for loss in worst if not loss.is_end]:
        yield _damage(damage)
    elif socket.journal_end == JournalEnd.DAMAGED:
        yield "Records of its journal could not be read; no audio was among them."
    if socket.unjournaled:
        yield (
            f"{formats.count(socket.unjournaled)} packets were received and lost: the"
            " disk did not take them in time. They are gaps on the tracks."
        )


def _of_text(socket: Connection) -> Iterator[str]:
    """Yield the sentences on a transcription socket: text was lost, if anything."""
    if socket.journal_state == JournalState.MISSING:
        yield (
            f"Its journal was not found on node {socket.node}: text that came over it"
            " may be missing, and its frames are not kept."
        )
    elif socket.journal_state == JournalState.TORN:
        yield "Its ingest process died. Its journal is read when the call is over."
    elif socket.journal_end == JournalEnd.TORN:
        yield (
            "Its ingest process died. Recovered; text of its last second may be"
            " missing."
        )
    elif socket.journal_end == JournalEnd.DAMAGED:
        yield "Records of its journal could not be read; text may be missing."


def _waiting(estimate: float | None) -> str:
    told = "Its ingest process died. Its journal is read when the call is over"
    if estimate is None:
        return f"{told}; what is in it is not in the figures yet."
    return f"{told}; until then up to {formats.seconds(estimate)} are missing."


def _cost(worst: Sequence[Loss]) -> str:
    """Return how a sentence on recovery goes on, by the losses, the longest first."""
    if not worst:
        return ", nothing lost: nobody was being heard when it broke off"
    until = formats.moment_ms(worst[0].until)
    known = [loss.seconds for loss in worst if loss.seconds is not None]
    if not known:
        return f": everything up to {until} is here, and nothing came after it"
    if known[0]:
        return (
            f": everything up to {until} is here,"
            f" {formats.seconds(known[0])} missing after it"
        )
    if len(known) < len(worst):
        return f": everything up to {until} is here, and not all were heard after it"
    return f", nothing lost: everything up to {until} is here, and what follows it"


def _damage(losses: Sequence[Loss]) -> str:
    lost = lost_seconds(losses)
    cost = (
        "what they held is missing"
        if lost is None
        else (f"{formats.seconds(lost)} are missing")
    )
    return f"Records of its journal could not be read: {cost}."


def trouble_words(rows: Sequence[SocketRow]) -> list[str]:
    """Return what to say of all of a call's sockets beside its completeness."""
    return [
        words
        for words in (
            _crash(rows),
            _damaged([loss for row in rows for loss in row.losses if not loss.is_end]),
            _dropped(sum(row.connection.unjournaled for row in rows)),
            _missing([row.connection for row in rows]),
        )
        if words
    ]


def _crash(rows: Sequence[SocketRow]) -> str:
    sockets = [row.connection for row in rows]
    if any(socket.journal_state == JournalState.TORN for socket in sockets):
        return "an ingest process died; its journal is not read yet"
    torn = {socket.kind for socket in sockets if socket.journal_end == JournalEnd.TORN}
    if not torn:
        return ""
    if Connection.Kind.MEDIA not in torn:
        return "recovered after a crash, text may be missing"
    losses = [loss for row in rows for loss in row.losses if loss.is_end]
    lost = lost_seconds(losses)
    if lost:
        return f"recovered after a crash, {formats.seconds(lost)} lost"
    if all(loss.seconds == 0 for loss in losses):
        return "recovered after a crash, nothing lost"
    return "recovered after a crash"


def _damaged(losses: Sequence[Loss]) -> str:
    lost = lost_seconds(losses)
    return f"a journal was damaged, {formats.seconds(lost)} lost" if lost else ""


def _dropped(packets: int) -> str:
    return f"{formats.count(packets)} packets not written to disk" if packets else ""


def _missing(sockets: Sequence[Connection]) -> str:
    is_missing = any(one.journal_state == JournalState.MISSING for one in sockets)
    return "a journal is missing" if is_missing else ""
