"""Routes of the calls app."""

from django.urls import URLPattern, path

from calls import health, offer_views, views, webhooks
from calls.history.views import timeline_json, timeline_page
from calls.listen_views import call_listeners

urlpatterns: list[URLPattern] = [
    path("recordings/<uuid:recording_id>/audio", views.recording_audio, name="audio"),
    path(
        "recordings/<uuid:recording_id>/download.flac",
        views.recording_flac,
        name="download_flac",
    ),
    path(
        "recordings/<uuid:recording_id>/download.wav",
        views.recording_wav,
        name="download_wav",
    ),
    path("recordings/<uuid:recording_id>/peaks", views.recording_peaks, name="peaks"),
    path(
        "recordings/<uuid:recording_id>/manifest",
        views.recording_manifest,
        name="manifest",
    ),
    path("calls/<uuid:call_id>/commands/", offer_views.call_commands, name="commands"),
    path(
        "calls/<uuid:call_id>/commands/<str:kind>", views.call_command, name="command"
    ),
    path("calls/<uuid:call_id>/timeline.json", timeline_json, name="timeline"),
    path(
        "calls/<uuid:call_id>/timeline/page.json", timeline_page, name="timeline_page"
    ),
    path("calls/<uuid:call_id>/listeners.json", call_listeners, name="listeners"),
    path("webhooks/eventgrid", webhooks.eventgrid, name="eventgrid"),
    path("webhooks/calls/<str:secret>", webhooks.callback, name="callback"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
