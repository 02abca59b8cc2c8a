"""HTTP routes of the web process."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("", include("calls.urls")),
    # Before the admin, which would take it for an app of that name.
    path("admin/preflight/", include("calls.admin.preflight")),
    path("admin/", admin.site.urls),
]
