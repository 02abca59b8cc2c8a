"""Prompts over HTTP: to be heard before they are played to anybody."""

from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from calls.models import Prompt
from calls.recording_views import stored_flac

MAY_HEAR = ("calls.view_prompt", "calls.play_prompt")


@require_safe
def prompt_audio(request: HttpRequest, prompt_id: UUID) -> HttpResponseBase:
    """Send a prompt's FLAC as calls hear it, or the range that was asked for.

    For those who may see the library, and those who may play what is in it.
    """
    if not any(request.user.has_perm(one) for one in MAY_HEAR):
        raise PermissionDenied
    prompt = get_object_or_404(Prompt, pk=prompt_id)
    return stored_flac(request, prompt.audio_24k, etag=prompt.sha256_24k)
