"""Routes of the calls app."""

from django.urls import URLPattern, path

from calls import alarm_views, health, offer_views, views, webhooks
from calls.history.views import timeline_json, timeline_page

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
    path("alarms/inbox.json", alarm_views.inbox_json, name="alarms_inbox"),
    path("alarms/badges.json", alarm_views.badges_json, name="alarms_badges"),
    path("alarms/handlers.json", alarm_views.handlers_json, name="alarms_handlers"),
    path("alarms/bulk", alarm_views.alarms_act, name="alarms_act"),
    path("alarms/<uuid:alarm_id>/<str:name>", alarm_views.alarm_act, name="alarm_act"),
    path(
        "calls/<uuid:call_id>/alarms.json",
        alarm_views.call_alarms_json,
        name="call_alarms",
    ),
    path("webhooks/eventgrid", webhooks.eventgrid, name="eventgrid"),
    path("webhooks/calls/<str:secret>", webhooks.callback, name="callback"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
