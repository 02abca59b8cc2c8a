"""Sockets, streaming, what was lost, and recordings."""

from collections.abc import Iterator
from datetime import datetime

from calls import formats
from calls.history.entries import Detail, Entry, EntryKind
from calls.history.rows import CallRows
from calls.markup import page_title
from calls.models import Connection, Recording, RecordingState, StreamingState
from calls.models.states import ArchiveState
from calls.sockets import SocketRow

# Codes of an orderly end (RFC 6455 §7.4.1): done, and going away.
ORDERLY = (1000, 1001)
STREAMING_TONES = {
    StreamingState.STREAMING: "good",
    StreamingState.STALLED: "bad",
    StreamingState.FAILED: "bad",
}


def connection_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield sockets opening, closing, breaking off, and what that cost each track."""
    for row in rows.sockets:
        socket = row.connection
        yield _opened(socket)
        if socket.closed_at:
            yield _closed(socket, socket.closed_at)
        if row.sentences:
            yield _broken(row)
        yield from _losses(rows, row)


def _opened(socket: Connection) -> Entry:
    details: dict[str, Detail] = {"socket": str(socket.pk)}
    if socket.remote_address:
        details["from"] = socket.remote_address
    return Entry(
        key=f"connection:{socket.pk}:opened",
        at=socket.opened_at,
        kind=EntryKind.CONNECTION,
        what=f"{_name(socket)} opened",
        source=_node(socket),
        details=details,
    )


def _closed(socket: Connection, at: datetime) -> Entry:
    details: dict[str, Detail] = {"packets": socket.packets, "bytes": socket.bytes}
    if socket.kind == Connection.Kind.TRANSCRIPTION:
        details = {"messages": socket.messages}
    if socket.close_code is not None:
        details["code"] = socket.close_code
    details |= {
        name: number
        for name, number in (
            ("malformed", socket.malformed),
            ("unknown", socket.unknown),
            ("unjournaled", socket.unjournaled),
        )
        if number
    }
    reasons = (socket.close_reason, socket.last_fault)
    return Entry(
        key=f"connection:{socket.pk}:closed",
        at=at,
        kind=EntryKind.CONNECTION,
        what=f"{_name(socket)} closed",
        source=_node(socket),
        told=" ".join(dict.fromkeys(filter(None, reasons))),
        details=details | {"socket": str(socket.pk)},
        tone="" if socket.close_code in (None, *ORDERLY) else "bad",
    )


def _broken(row: SocketRow) -> Entry:
    socket = row.connection
    return Entry(
        key=f"connection:{socket.pk}:broken",
        at=row.ended_at,
        kind=EntryKind.CONNECTION,
        what=row.happened,
        source=_node(socket),
        told=" ".join(row.sentences),
        details={
            "journal": socket.get_journal_state_display(),
            "socket": str(socket.pk),
        },
        tone="bad" if row.is_bad else "",
    )


def _losses(rows: CallRows, row: SocketRow) -> Iterator[Entry]:
    for loss in row.losses:
        seconds = loss.seconds
        if seconds is None:
            told = "Nothing of it came afterwards."
        elif seconds:
            told = f"{formats.seconds(seconds)} are missing behind this."
        else:
            told = "Nothing is missing behind this."
        details: dict[str, Detail] = {
            "missing seconds": seconds,
            "socket": str(row.connection.pk),
        }
        yield Entry(
            key=f"loss:{loss.pk}",
            at=loss.until,
            kind=EntryKind.CONNECTION,
            what=f"{rows.name_of(loss.track.participant_id)}: a journal breaks off",
            source=_node(row.connection),
            told=told,
            details=details,
            tone="bad" if seconds != 0 else "",
        )


def _name(socket: Connection) -> str:
    if socket.kind == Connection.Kind.TRANSCRIPTION:
        return "Transcription socket"
    return "Socket"


def _node(socket: Connection) -> str:
    return f"Node {socket.node}"


# --- streaming --------------------------------------------------------------------


def streaming_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield what media shows of streaming: subscriptions, packets, the state now."""
    for one in rows.subscriptions:
        details: dict[str, Detail] = {
            "subscription": one.subscription_id,
            "encoding": one.encoding,
            "sample rate": one.sample_rate,
        }
        yield _shown(f"{one.pk}:started", one.started_at, "Subscription began", details)
        if one.ended_at:
            yield _shown(f"{one.pk}:ended", one.ended_at, "Subscription ended", details)
    for track in rows.tracks:
        name = rows.name_of(track.participant_id)
        heard: dict[str, Detail] = {"sample rate": track.sample_rate}
        yield _shown(
            f"{track.pk}:first", track.first_packet_at, f"{name}: first packet", heard
        )
        # One key, so that the page moves it and adds none.
        said = "last packet" if track.is_final else "last packet so far"
        heard = heard | {"packets": track.packets}
        yield _shown(f"{track.pk}:last", track.last_packet_at, f"{name}: {said}", heard)
    yield from _state(rows)


def _state(rows: CallRows) -> Iterator[Entry]:
    call = rows.call
    state = StreamingState(call.streaming_state)
    if call.streaming_at:
        yield Entry(
            key=f"streaming:{state}:{call.streaming_at.isoformat()}",
            at=call.streaming_at,
            kind=EntryKind.STREAMING,
            what=f"Streaming: {state.label.lower()}",
            source="System",
            told=call.streaming_reason,
            details={"wanted": call.desired_streaming},
            tone=STREAMING_TONES.get(state, ""),
        )
    if call.paused_at:
        yield Entry(
            key=f"paused:{call.paused_at.isoformat()}",
            at=call.paused_at,
            kind=EntryKind.STREAMING,
            what="Recording paused",
            source="System",
            why=call.paused_why,
        )


def _shown(key: str, at: datetime, what: str, details: dict[str, Detail]) -> Entry:
    return Entry(
        key=f"streaming:{key}",
        at=at,
        kind=EntryKind.STREAMING,
        what=what,
        source="Media",
        details=details,
    )


# --- recordings -------------------------------------------------------------------


def recording_entries(rows: CallRows) -> Iterator[Entry]:
    """Yield recordings that were finished or failed, and a finishing that failed."""
    call = rows.call
    for recording in rows.recordings:
        yield _recording(rows, recording)
    if call.archive_failed_at and call.archive_state == ArchiveState.FAILED:
        yield Entry(
            key=f"archive:{call.archive_failed_at.isoformat()}",
            at=call.archive_failed_at,
            kind=EntryKind.RECORDING,
            what="Finishing failed",
            source="System",
            told=call.archive_error,
            tone="bad",
        )


def _recording(rows: CallRows, recording: Recording) -> Entry:
    call = rows.call
    is_good = recording.state == RecordingState.VERIFIED
    # Of one that failed no time is kept: it was tried after the call had ended.
    at = recording.verified_at or call.archive_failed_at or call.ended_at
    return Entry(
        key=f"recording:{recording.pk}",
        at=at or call.rang_at,
        kind=EntryKind.RECORDING,
        what=f"Recording {'finished' if is_good else 'failed'}:"
        f" {page_title(recording)}",
        source="System",
        told="It was read back and is as received." if is_good else recording.error,
        details={
            "recording": str(recording.pk),
            "seconds": recording.seconds,
            "sha256": recording.audio_sha256,
        },
        tone="good" if is_good else "bad",
    )
