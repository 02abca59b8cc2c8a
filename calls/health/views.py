"""/healthz and /readyz of a web process. Neither needs a login.

None tells a name, a number or an id of a call: a proxy should still keep /readyz
inside. They are behind `ALLOWED_HOSTS` like every page: a probe by IP address gets 400
unless it sends a Host that is allowed.
"""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from calls.health.asking import ask_all
from calls.health.checks import parts
from calls.health.findings import report


@never_cache
@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Say that this process answers, and nothing else."""
    return HttpResponse("ok\n", content_type="text/plain")


@never_cache
@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Say whether this process can do its work: 200, or 503, with what is wrong.

    It answers within two seconds whatever hangs.
    """
    told = {"process": "web", "node": settings.NODE, **report(ask_all(parts()))}
    return JsonResponse(told, status=200 if told["ready"] else 503)
