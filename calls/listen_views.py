"""Who listens to a call, for everybody who may see it."""

from uuid import UUID

import redis
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from calls.listeners import listeners


@require_safe
@permission_required("calls.view_call", raise_exception=True)
def call_listeners(request: HttpRequest, call_id: UUID) -> JsonResponse:
    """Send who listens to a call now; `users` is null while Redis does not say."""
    try:
        found = listeners().get(str(call_id), [])
    except (redis.RedisError, OSError):
        users = None
    else:
        users = sorted({one["user"] for one in found})
    response = JsonResponse({"users": users})
    response["Cache-Control"] = "private, no-store"
    return response
