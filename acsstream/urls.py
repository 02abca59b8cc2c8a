"""HTTP routes of the web process."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from django.views.i18n import JavaScriptCatalog

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("calls.urls")),
    path("jsi18n/", JavaScriptCatalog.as_view(), name="jsi18n"),
    # Before the admin, which would take them for apps of that name.
    path("admin/inbox/", include("calls.admin.inbox")),
    path("admin/preflight/", include("calls.admin.preflight")),
    path("admin/", admin.site.urls),
]
