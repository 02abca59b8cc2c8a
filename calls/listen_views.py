"""Who listens to a call and who speaks into it, for everybody who may see it."""

from uuid import UUID

import redis
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from calls.live.listeners import listeners
from calls.live.talkers import talker


@require_safe
@permission_required("calls.view_call", raise_exception=True)
def call_listeners(request: HttpRequest, call_id: UUID) -> JsonResponse:
    """Send who listens to a call now, and who speaks into it from the console.

    `users` is null while Redis does not say.
    """
    try:
        found = listeners().get(str(call_id), [])
        speaking = talker(call_id)
    except (redis.RedisError, OSError):
        told: dict[str, object] = {"users": None, "speaking": None}
    else:
        users = sorted({one["user"] for one in found})
        told = {"users": users, "speaking": speaking["user"] if speaking else None}
    response = JsonResponse(told)
    response["Cache-Control"] = "private, no-store"
    return response
