"""Recordings over HTTP, and orders from the dashboard."""

import asyncio
import logging
import struct
from collections.abc import AsyncIterator, Iterator
from typing import TypeVar, cast
from uuid import UUID

import soundfile
from django.contrib.auth.decorators import permission_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    JsonResponse,
    StreamingHttpResponse,
)
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from calls import audit_log, control
from calls.http_range import ByteRange, UnsatisfiableError, range_of
from calls.models import AuditAction, Call, CommandKind, Recording
from calls.orders import ORDERS
from calls.recordings import slug
from calls.storage import recording_exists, recording_open, recording_size
from streaming.protocol import MIXED

BLOCK_BYTES = 64 * 1024
WAV_FRAMES = 32 * 1024
WAV_HEADER_BYTES = 44

Response = TypeVar("Response", bound=HttpResponseBase)

log = logging.getLogger(__name__)


class BlockResponse(StreamingHttpResponse):
    """Blocks read one by one, under ASGI each in a worker thread.

    Django would otherwise read a synchronous stream whole before sending any of it.
    """

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yield the blocks without holding up the event loop."""
        blocks = iter(cast(Iterator[bytes], self.streaming_content))
        while (block := await asyncio.to_thread(next, blocks, None)) is not None:
            yield block


# --- recordings -------------------------------------------------------------------


@require_safe
@permission_required("calls.play_recording", raise_exception=True)
def recording_audio(request: HttpRequest, recording_id: UUID) -> HttpResponseBase:
    """Send the FLAC, or the one range of it that was asked for."""
    recording = found(recording_id)
    response = flac_response(request, recording)
    note_audio(AuditAction.RECORDING_PLAYED, request, recording, response)
    return response


@require_safe
@permission_required("calls.download_recording", raise_exception=True)
def recording_flac(request: HttpRequest, recording_id: UUID) -> HttpResponseBase:
    """Send the FLAC as a file to keep."""
    recording = found(recording_id)
    note_download(request, recording, "flac")
    response = flac_response(request, recording)
    note_audio(AuditAction.RECORDING_DOWNLOADED, request, recording, response, "flac")
    response["Content-Disposition"] = attachment(recording, "flac")
    return response


@require_safe
@permission_required("calls.download_recording", raise_exception=True)
def recording_wav(request: HttpRequest, recording_id: UUID) -> HttpResponseBase:
    """Send the audio as WAV, decoded block by block: any length, little memory."""
    recording = found(recording_id)
    present(recording.audio)
    note_download(request, recording, "wav")
    size = WAV_HEADER_BYTES + 2 * recording.samples
    if size > 0xFFFF_FFFF:
        raise Http404("Longer than a WAV file can be; take the FLAC.")
    head = request.method == "HEAD"
    response = BlockResponse(
        [] if head else wav_blocks(recording), content_type="audio/wav"
    )
    note_audio(AuditAction.RECORDING_DOWNLOADED, request, recording, response, "wav")
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = attachment(recording, "wav")
    return private(response)


@require_safe
@permission_required("calls.play_recording", raise_exception=True)
def recording_peaks(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """Send the waveform: audiowaveform's JSON."""
    return stored_json(found(recording_id).peaks)


@require_safe
@permission_required("calls.view_recording", raise_exception=True)
def recording_manifest(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """Send the manifest: what the recording is made of."""
    return stored_json(found(recording_id).manifest)


def found(recording_id: UUID) -> Recording:
    """Return the recording with its call and participant, or answer 404."""
    rows = Recording.objects.select_related("call", "track__participant")
    return get_object_or_404(rows, pk=recording_id)


def present(name: str) -> None:
    """Answer 404 if nothing is stored under `name`."""
    if not recording_exists(name):
        raise Http404("The file is not in storage.")


def flac_response(request: HttpRequest, recording: Recording) -> HttpResponseBase:
    """Answer 200, 206, 304 or 416 for the FLAC of a recording."""
    present(recording.audio)
    size = recording_size(recording.audio)
    etag = f'"{recording.audio_sha256}"'
    if etag in request.headers.get("If-None-Match", ""):
        return private(HttpResponse(status=304), etag)
    try:
        wanted = range_of(range_header(request, etag), size)
    except UnsatisfiableError:
        refusal = HttpResponse(status=416)
        refusal["Content-Range"] = f"bytes */{size}"
        return private(refusal, etag)
    part = wanted or ByteRange(0, size - 1, size)
    blocks = [] if request.method == "HEAD" else file_blocks(recording.audio, part)
    response = BlockResponse(
        blocks, status=206 if wanted else 200, content_type="audio/flac"
    )
    response["Content-Length"] = str(part.length)
    response["Accept-Ranges"] = "bytes"
    if wanted:
        response["Content-Range"] = wanted.content_range
    return private(response, etag)


def range_header(request: HttpRequest, etag: str) -> str | None:
    """Return the Range header, if it is about the file as it is now.

    RFC 9110 §13.1.5: a Range whose If-Range does not match is ignored. Dates never
    match, because recordings have no Last-Modified.
    """
    if request.method != "GET" or request.headers.get("If-Range", etag) != etag:
        return None
    return request.headers.get("Range")


def private(response: Response, etag: str = "") -> Response:
    """Let the browser keep the answer for its user, nobody on the way."""
    response["Cache-Control"] = "private, max-age=0, must-revalidate"
    response["X-Content-Type-Options"] = "nosniff"
    if etag:
        response["ETag"] = etag
    return response


def file_blocks(name: str, part: ByteRange) -> Iterator[bytes]:
    """Yield a range of a stored file in blocks."""
    with recording_open(name) as file:
        file.seek(part.first)
        left = part.length
        while left and (block := file.read(min(left, BLOCK_BYTES))):
            left -= len(block)
            yield block


def wav_blocks(recording: Recording) -> Iterator[bytes]:
    """Yield a 16-bit mono WAV of a recording: header, then PCM."""
    with (
        recording_open(recording.audio) as file,
        soundfile.SoundFile(file) as flac,
    ):
        yield wav_header(recording.samples, recording.sample_rate)
        for block in flac.blocks(WAV_FRAMES, dtype="int16"):
            yield block.astype("<i2", copy=False).tobytes()


def wav_header(samples: int, rate: int) -> bytes:
    """Return the 44 bytes that begin a 16-bit mono PCM WAV of `samples` samples."""
    size = 2 * samples
    riff = struct.pack("<4sI4s", b"RIFF", 36 + size, b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
    return riff + form + struct.pack("<4sI", b"data", size)


def attachment(recording: Recording, ending: str) -> str:
    """Return a Content-Disposition with a name that sorts by time and tells who.

    By role, not by number: file names travel.
    """
    start = timezone.localtime(recording.call.rang_at)
    name = f"{start:%Y%m%d-%H%M%S}_{str(recording.call_id)[:8]}_{role(recording)}"
    return content_disposition_header(True, f"{name}.{ending}") or "attachment"


def role(recording: Recording) -> str:
    """Return who is heard: mix, caller, called, or what tells other parties apart."""
    raw_id = recording.track.participant.raw_id if recording.track else MIXED
    if raw_id == MIXED:
        return "mix"
    call = recording.call
    roles = {call.to_raw_id: "called", call.from_raw_id: "caller"}
    return roles.get(raw_id) or f"party-{slug(raw_id)}"


def note_download(request: HttpRequest, recording: Recording, form: str) -> None:
    """Log who took which recording: audio that leaves is out of our hands."""
    if request.method == "GET" and "Range" not in request.headers:
        log.info(
            "recording %s downloaded as %s by user %s",
            recording.pk,
            form,
            request.user.pk,
        )


def note_audio(
    action: AuditAction,
    request: HttpRequest,
    recording: Recording,
    response: HttpResponseBase,
    form: str = "",
) -> None:
    """Put it on the audit log, before a byte goes out, that somebody gets audio.

    304 counts: the browser then plays what it has kept.
    """
    if request.method != "GET" or response.status_code not in (200, 206, 304):
        return
    audit_log.recording_note(
        action,
        request,
        recording,
        from_start=response.get("Content-Range", "bytes 0-").startswith("bytes 0-"),
        details={"format": form} if form else None,
    )


def stored_json(name: str) -> HttpResponse:
    """Send a stored JSON file."""
    present(name)
    with recording_open(name) as file:
        response = HttpResponse(file.read(), content_type="application/json")
    return private(response)


# --- orders -----------------------------------------------------------------------


@require_POST
def call_command(request: HttpRequest, call_id: UUID, kind: str) -> JsonResponse:
    """Ask ACS for something about one call; answer what became of the asking.

    201 with the command, 403 without permission, 404 for an unknown call or kind, 409
    with the reason in words when the order makes no sense now.
    """
    order = ORDERS.get(kind)
    if order is None or not order.by_hand:
        return JsonResponse({"reason": "There is no such command."}, status=404)
    call = Call.objects.filter(pk=call_id).first()
    if not request.user.has_perm(order.permission):
        audit_log.note_forbidden(request, CommandKind(kind), call=call)
        return JsonResponse({"reason": audit_log.FORBIDDEN}, status=403)
    if call is None:
        return JsonResponse({"reason": "There is no such call."}, status=404)
    try:
        command = audit_log.command_ask(
            request,
            call=call,
            kind=CommandKind(kind),
            arguments=request.POST.dict(),
        )
    except control.CommandRefused as refusal:
        return JsonResponse({"reason": str(refusal)}, status=409)
    return JsonResponse(
        {
            "id": str(command.pk),
            "label": command.get_kind_display(),
            "state": command.state,
            "state_label": command.get_state_display(),
        },
        status=201,
    )
