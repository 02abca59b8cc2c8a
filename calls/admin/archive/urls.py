"""Routes beside the list of calls."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

from calls import archive_views
from calls.export.views import export_zip
from calls.transcripts import views as transcript_views


def archive_urls(view: Callable[[Any], Any]) -> list[URLPattern]:
    """Return them, each view wrapped as the admin site wraps its own."""
    one = "views/<int:pk>/"
    return [
        path("export/", view(export_zip), name="calls_call_export"),
        path("said/", view(transcript_views.said_page), name="calls_call_said"),
        path("columns/", view(archive_views.columns_choose), name="calls_call_columns"),
        path("views/", view(archive_views.view_save), name="calls_call_view_save"),
        path(
            f"{one}delete/",
            view(archive_views.view_delete),
            name="calls_call_view_delete",
        ),
        path(
            f"{one}share/",
            view(archive_views.view_share),
            name="calls_call_view_share",
        ),
        path(
            f"{one}default/",
            view(archive_views.view_default),
            name="calls_call_view_default",
        ),
    ]
