"""Downloads of one call: left and right, side-car, everything as a zip.

That somebody takes them is on the audit log before a byte leaves.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib.auth.decorators import permission_required
from django.http import (
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBadRequest,
    HttpResponseBase,
    JsonResponse,
)
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.http import require_safe

from calls.audit import log as audit_log
from calls.downloads.encoding import WAV_MOST, flac_blocks, wav_blocks, wav_size
from calls.downloads.everything import call_entries
from calls.downloads.naming import attachment, call_name, role
from calls.downloads.sidecar import SideCarJson, sidecar_of
from calls.downloads.stereo import STEREO, NoStereoError, Stereo, stereo_of
from calls.export import zip_blocks
from calls.history.export import timeline_of
from calls.models import AuditAction, Call, Recording, RecordingState
from calls.responses import BlockResponse, private
from calls.selectors import player_origin_us
from calls.storage import recording_exists
from calls.transcripts.files import files_of
from calls.transcripts.reading import transcript_of

log = logging.getLogger(__name__)
may_download = permission_required("calls.download_recording", raise_exception=True)


@dataclass(frozen=True, slots=True)
class CallAudioFiles:
    """A call, its verified recordings (the mix first) and the zero of its clock."""

    call: Call
    recordings: list[Recording]
    origin_us: int

    @property
    def tracks(self) -> list[Recording]:
        """Return the recordings of one speaker each."""
        return [one for one in self.recordings if one.track_id is not None]


@require_safe
@may_download
def call_stereo(request: HttpRequest, call_id: UUID, form: str) -> HttpResponseBase:
    """Send two speakers, or one and the rest, as the two channels of one file.

    `?left=` and `?right=` are ids of recordings or `rest`. 400 with the reason if
    there are no such two.
    """
    files = found(call_id)
    asked = request.GET.get("left", ""), request.GET.get("right", "")
    try:
        stereo = stereo_of(files.call, files.tracks, files.origin_us, *asked)
    except NoStereoError as exc:
        return HttpResponseBadRequest(str(exc), content_type="text/plain")
    missing([*stereo.left, *stereo.right])
    if form == "wav":
        response = stereo_wav(request, stereo)
    else:
        frames = stereo.frames()
        blocks = flac_blocks(frames, stereo.samples, stereo.rate, STEREO)
        response = blocks_of(request, blocks, "audio/flac")
    name = f"{call_name(files.call)}_{side(stereo.left)}-{side(stereo.right)}.{form}"
    response["Content-Disposition"] = attachment(name)
    heard = {
        "left": [str(one.pk) for one in stereo.left],
        "right": [str(one.pk) for one in stereo.right],
    }
    note(request, files.call, f"stereo {form}", **heard)
    return private(response)


def stereo_wav(request: HttpRequest, stereo: Stereo) -> BlockResponse:
    """Return the WAV; its length is known before its first byte."""
    size = wav_size(stereo.samples, STEREO)
    if size > WAV_MOST:
        raise Http404("Longer than a WAV file can be; take the FLAC.")
    blocks = wav_blocks(stereo.frames(), stereo.samples, stereo.rate, STEREO)
    response = blocks_of(request, blocks, "audio/wav")
    response["Content-Length"] = str(size)
    return response


def side(recordings: list[Recording] | Any) -> str:
    """Return who is heard on a side: their role, or `others`."""
    return role(recordings[0]) if len(recordings) == 1 else "others"


@require_safe
@may_download
def call_sidecar(request: HttpRequest, call_id: UUID) -> HttpResponse:
    """Send what the call's audio files are, as JSON."""
    files = found(call_id)
    response = JsonResponse(sidecar(request, files), json_dumps_params={"indent": 1})
    name = f"{call_name(files.call)}_side-car.json"
    response["Content-Disposition"] = attachment(name)
    note(request, files.call, "side-car")
    return private(response)


@require_safe
@may_download
def call_everything(request: HttpRequest, call_id: UUID) -> HttpResponseBase:
    """Send all recordings, the side-car, the timeline and manifests as a zip."""
    files = found(call_id)
    timeline = timeline_of(files.call, now=timezone.now())
    entries = call_entries(
        files.call,
        files.recordings,
        sidecar(request, files),
        timeline,
        transcript_texts(request, files.call),
    )
    response = blocks_of(request, zip_blocks(entries), "application/zip")
    response["Content-Disposition"] = attachment(f"{call_name(files.call)}.zip")
    note(
        request,
        files.call,
        "zip",
        recordings=[str(one.pk) for one in files.recordings],
    )
    return private(response)


def transcript_texts(request: HttpRequest, call: Call) -> dict[str, str]:
    """Return the files of the transcript, if this user may read it; that is noted."""
    if not request.user.has_perm("calls.read_transcript"):
        return {}
    texts = files_of(transcript_of(call))
    if texts and request.method == "GET":
        audit_log.note_request(
            AuditAction.TRANSCRIPT_READ,
            request,
            call=call,
            obj=call,
            details={"did": "exported", "format": "zip"},
        )
    return texts


def sidecar(request: HttpRequest, files: CallAudioFiles) -> SideCarJson:
    """Return the side-car as this user may see it."""
    return sidecar_of(
        files.call,
        files.recordings,
        files.origin_us,
        now=timezone.now(),
        shows_digits=request.user.has_perm("calls.play_recording"),
    )


def found(call_id: UUID) -> CallAudioFiles:
    """Return the call and its recordings, or answer 404: no call, nothing recorded."""
    call = get_object_or_404(Call.objects.defer("incoming_call_context"), pk=call_id)
    verified = call.recordings.filter(state=RecordingState.VERIFIED)
    recordings = sorted(
        verified.select_related("call", "track__participant"),
        key=lambda one: (one.track_id is not None, one.origin_us, str(one.pk)),
    )
    if not recordings:
        raise Http404("The call has no recordings.")
    return CallAudioFiles(call, recordings, player_origin_us(call, recordings))


def missing(recordings: Iterable[Recording]) -> None:
    """Answer 404 if audio is not in storage: half a call is no download."""
    for one in recordings:
        if not recording_exists(one.audio):
            raise Http404("The file is not in storage.")


def blocks_of(
    request: HttpRequest, blocks: Iterable[bytes], content_type: str
) -> BlockResponse:
    """Return an answer of `blocks`, which are not even begun for HEAD."""
    sent = [] if request.method == "HEAD" else blocks
    return BlockResponse(sent, content_type=content_type)


def note(request: HttpRequest, call: Call, form: str, **details: object) -> None:
    """Put it on the audit log and in the log that somebody takes audio of a call."""
    if request.method != "GET":
        return
    audit_log.note_request(
        AuditAction.RECORDING_DOWNLOADED,
        request,
        call=call,
        obj=call,
        details={"format": form, **details},
    )
    log.info("call %s downloaded as %s by user %s", call.pk, form, request.user.pk)
