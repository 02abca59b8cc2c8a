"""Routes of the calls app."""

from django.urls import URLPattern, path

from calls import (
    download_views,
    health,
    offer_views,
    recording_views,
    views,
    webhooks,
)
from calls.history.views import timeline_json, timeline_page

urlpatterns: list[URLPattern] = [
    path(
        "recordings/<uuid:recording_id>/audio",
        recording_views.recording_audio,
        name="audio",
    ),
    path(
        "recordings/<uuid:recording_id>/download.flac",
        recording_views.recording_flac,
        name="download_flac",
    ),
    path(
        "recordings/<uuid:recording_id>/download.wav",
        recording_views.recording_wav,
        name="download_wav",
    ),
    path(
        "recordings/<uuid:recording_id>/peaks",
        recording_views.recording_peaks,
        name="peaks",
    ),
    path(
        "recordings/<uuid:recording_id>/manifest",
        recording_views.recording_manifest,
        name="manifest",
    ),
    *(
        path(
            f"calls/<uuid:call_id>/stereo.{form}",
            download_views.call_stereo,
            {"form": form},
            name=f"stereo_{form}",
        )
        for form in ("flac", "wav")
    ),
    path(
        "calls/<uuid:call_id>/side-car.json",
        download_views.call_sidecar,
        name="sidecar",
    ),
    path(
        "calls/<uuid:call_id>/everything.zip",
        download_views.call_everything,
        name="everything",
    ),
    path("calls/<uuid:call_id>/commands/", offer_views.call_commands, name="commands"),
    path(
        "calls/<uuid:call_id>/commands/<str:kind>", views.call_command, name="command"
    ),
    path("calls/<uuid:call_id>/timeline.json", timeline_json, name="timeline"),
    path(
        "calls/<uuid:call_id>/timeline/page.json", timeline_page, name="timeline_page"
    ),
    path("webhooks/eventgrid", webhooks.eventgrid, name="eventgrid"),
    path("webhooks/calls/<str:secret>", webhooks.callback, name="callback"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
