"""HTTP routes of the web process."""

from django.contrib import admin
from django.http import Http404
from django.urls import include, path, re_path
from django.views.decorators.cache import cache_control
from django.views.defaults import page_not_found
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

# The texts of our scripts in the reader's language. Pages name the language in the
# address, so that a browser may keep what it got.
texts = cache_control(max_age=3600, private=True)(JavaScriptCatalog.as_view())

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("calls.urls")),
    path("jsi18n/", texts, name="jsi18n"),
    # Before the admin, whose own pages they replace.
    path("", include("calls.sign_in.urls")),
    # Before the admin, which would take them for apps of that name.
    path("admin/inbox/", include("calls.admin.inbox")),
    path("admin/preflight/", include("calls.admin.preflight")),
    path("admin/systems/", include("calls.admin.systems")),
    # The admin's own fails over an id that is none; no row has a page elsewhere.
    re_path("^admin/r/", page_not_found, {"exception": Http404()}, name="view_on_site"),
    path("admin/", admin.site.urls),
]
