"""The page of preflight: every check a line, run by a request of its own."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from calls.preflight import CHECKS, GROUPS, check_of, run

PERMISSION = "calls.run_preflight"


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show the checks by group; the page itself has them run, one by one."""
    _permitted(request)
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Preflight"),
        "groups": [
            (group, [check for check in CHECKS if check.group == group])
            for group in GROUPS
        ],
    }
    return TemplateResponse(request, "admin/calls/preflight.html", context)


@never_cache
@require_POST
def check(request: HttpRequest, name: str) -> JsonResponse:
    """Run one check and tell its result. POST: it dials and stores, if only bytes."""
    _permitted(request)
    asked = check_of(name)
    if asked is None:
        raise Http404("There is no such check.")
    return JsonResponse(run(asked).as_json())


def _permitted(request: HttpRequest) -> None:
    """Staff with the permission only: results name hosts and addresses."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied


app_name = "preflight"
urlpatterns: list[URLPattern] = [
    path("", admin.site.admin_view(page), name="page"),
    path("<str:name>/", admin.site.admin_view(check), name="check"),
]
