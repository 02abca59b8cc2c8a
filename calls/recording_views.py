"""Recordings over HTTP: heard, in parts, and taken away as files."""

import json
import logging
from collections.abc import Callable, Iterator
from functools import wraps
from http import HTTPStatus
from uuid import UUID

import numpy as np
from django.contrib.auth.decorators import permission_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
)
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from calls.audio.peaks import Peaks
from calls.audit import log as audit_log
from calls.downloads.encoding import WAV_MOST, wav_blocks, wav_size
from calls.downloads.naming import attachment, recording_name
from calls.downloads.stereo import decoded
from calls.http_range import ByteRange, UnsatisfiableError, range_of
from calls.models import AuditAction, Recording
from calls.responses import BlockResponse, private
from calls.storage import (
    StorageFaultError,
    recording_exists,
    recording_open,
    recording_size,
    signed_url,
)

BLOCK_BYTES = 64 * 1024
# More than any screen shows, zoomed in: ten for each second of an hour.
PEAKS_MOST = 36_000
View = Callable[[HttpRequest, UUID], HttpResponseBase]

log = logging.getLogger(__name__)


def from_storage(view: View) -> View:
    """Answer 503, in words, while the storage of recordings does not answer."""

    @wraps(view)
    def told(request: HttpRequest, recording_id: UUID) -> HttpResponseBase:
        try:
            return view(request, recording_id)
        except StorageFaultError as exc:
            log.warning("recording %s cannot be sent: %s", recording_id, exc)
            words = f"The recording cannot be had now: {exc.words}."
            return private(HttpResponse(words, status=503, content_type="text/plain"))

    return told


@require_safe
@permission_required("calls.play_recording", raise_exception=True)
@from_storage
def recording_audio(request: HttpRequest, recording_id: UUID) -> HttpResponseBase:
    """Send the FLAC, or the one range of it that was asked for."""
    recording = found(recording_id)
    response = flac_response(request, recording)
    note_audio(AuditAction.RECORDING_PLAYED, request, recording, response)
    return response


@require_safe
@permission_required("calls.download_recording", raise_exception=True)
@from_storage
def recording_flac(request: HttpRequest, recording_id: UUID) -> HttpResponseBase:
    """Send the FLAC as a file to keep."""
    recording = found(recording_id)
    note_download(request, recording, "flac")
    disposition = attachment(f"{recording_name(recording)}.flac")
    response = flac_response(request, recording, disposition)
    note_audio(AuditAction.RECORDING_DOWNLOADED, request, recording, response, "flac")
    response["Content-Disposition"] = disposition
    return response


@require_safe
@permission_required("calls.download_recording", raise_exception=True)
@from_storage
def recording_wav(request: HttpRequest, recording_id: UUID) -> HttpResponseBase:
    """Send the audio as WAV, decoded block by block: any length, little memory."""
    recording = found(recording_id)
    present(recording.audio)
    note_download(request, recording, "wav")
    size = wav_size(recording.samples)
    if size > WAV_MOST:
        raise Http404("Longer than a WAV file can be; take the FLAC.")
    head = request.method == "HEAD"
    wav = wav_blocks(decoded(recording), recording.samples, recording.sample_rate)
    response = BlockResponse([] if head else wav, content_type="audio/wav")
    note_audio(AuditAction.RECORDING_DOWNLOADED, request, recording, response, "wav")
    response["Content-Length"] = str(size)
    response["Content-Disposition"] = attachment(f"{recording_name(recording)}.wav")
    return private(response)


@require_safe
@permission_required("calls.play_recording", raise_exception=True)
@from_storage
def recording_peaks(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """Send the waveform: audiowaveform's JSON, of a long one with fewer pixels."""
    recording = found(recording_id)
    etag = f'"{recording.pcm_sha256}-{PEAKS_MOST}"'
    if etag in request.headers.get("If-None-Match", ""):
        return private(HttpResponse(status=304), etag)
    present(recording.peaks)
    with recording_open(recording.peaks) as file:
        stored = file.read()
    response = HttpResponse(screen_peaks(stored), content_type="application/json")
    return private(response, etag)


@require_safe
@permission_required("calls.view_recording", raise_exception=True)
@from_storage
def recording_manifest(request: HttpRequest, recording_id: UUID) -> HttpResponse:
    """Send the manifest: what the recording is made of."""
    recording = found(recording_id)
    if request.method == "GET":
        audit_log.view_note(AuditAction.RECORDING_VIEWED, request, recording)
    return stored_json(recording.manifest)


def found(recording_id: UUID) -> Recording:
    """Return the recording with its call and participant, or answer 404."""
    rows = Recording.objects.select_related("call", "track__participant")
    return get_object_or_404(rows, pk=recording_id)


def present(name: str) -> None:
    """Answer 404 if nothing is stored under `name`."""
    if not recording_exists(name):
        raise Http404("The file is not in storage.")


def flac_response(
    request: HttpRequest, recording: Recording, disposition: str = ""
) -> HttpResponseBase:
    """Answer 200, 206, 304 or 416 for the FLAC of a recording.

    Or 302, where browsers fetch audio from the storage itself: to an address that is
    good for a short time, and that nobody may keep.
    """
    if url := signed_url(recording.audio, disposition):
        elsewhere = HttpResponseRedirect(url)
        elsewhere["Cache-Control"] = "no-store"
        elsewhere["Referrer-Policy"] = "no-referrer"
        return elsewhere
    return stored_flac(request, recording.audio, etag=recording.audio_sha256)


def stored_flac(request: HttpRequest, name: str, *, etag: str) -> HttpResponseBase:
    """Answer 200, 206, 304 or 416 for a FLAC in storage, which never changes."""
    present(name)
    size = recording_size(name)
    etag = f'"{etag}"'
    if etag in request.headers.get("If-None-Match", ""):
        return private(HttpResponse(status=304), etag)
    try:
        wanted = range_of(range_header(request, etag), size)
    except UnsatisfiableError:
        refusal = HttpResponse(status=416)
        refusal["Content-Range"] = f"bytes */{size}"
        return private(refusal, etag)
    part = wanted or ByteRange(0, size - 1, size)
    blocks = [] if request.method == "HEAD" else file_blocks(name, part)
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


def file_blocks(name: str, part: ByteRange) -> Iterator[bytes]:
    """Yield a range of a stored file in blocks."""
    with recording_open(name) as file:
        file.seek(part.first)
        left = part.length
        while left and (block := file.read(min(left, BLOCK_BYTES))):
            left -= len(block)
            yield block


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

    304 counts: the browser then plays what it has kept. So does 302: who has the
    address gets the audio.
    """
    if request.method != "GET" or response.status_code not in (200, 206, 302, 304):
        return
    asked = request.headers.get("Range", "bytes=0-").replace("=", " ", 1)
    sent = response.get("Content-Range", "bytes 0-")
    told = asked if response.status_code == HTTPStatus.FOUND else sent
    audit_log.recording_note(
        action,
        request,
        recording,
        from_start=told.startswith("bytes 0-"),
        details={"format": form} if form else None,
    )


def stored_json(name: str) -> HttpResponse:
    """Send a stored JSON file."""
    present(name)
    with recording_open(name) as file:
        response = HttpResponse(file.read(), content_type="application/json")
    return private(response)


def screen_peaks(stored: bytes) -> bytes:
    """Return stored peaks with at most `PEAKS_MOST` pixels; the loudest ones stay."""
    told = json.loads(stored)
    if told["length"] <= PEAKS_MOST:
        return stored
    pairs = np.array(told["data"], np.int16).reshape(-1, 2) * 256
    peaks = Peaks(told["sample_rate"], told["samples_per_pixel"], pairs)
    return json.dumps(peaks.resample(PEAKS_MOST).to_json()).encode()
