"""The systems page: what runs where, and what is wrong, as /readyz knows it."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from calls.health.systems import systems

PERMISSION = "calls.view_ingestprocess"
# How often the page asks again, in milliseconds.
WAIT_MS = 5_000


@never_cache
@require_safe
def page(request: HttpRequest) -> HttpResponse:
    """Show every part with words, and every process, queue and disk with figures."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    context: dict[str, Any] = {
        **admin.site.each_context(request),
        "title": _("Systems"),
        "systems": systems(),
        "wait_ms": WAIT_MS,
    }
    return TemplateResponse(request, "admin/calls/systems.html", context)


app_name = "systems"
urlpatterns: list[URLPattern] = [path("", admin.site.admin_view(page), name="page")]
