"""Routes of the calls app."""

from django.urls import URLPattern, path

from calls import recording_views, review_views, views, webhooks
from calls.alarms import views as alarm_views
from calls.downloads import views as download_views
from calls.health.views import healthz, readyz
from calls.history.views import timeline_json, timeline_page
from calls.listen_views import call_listeners
from calls.markers import markers_json
from calls.metrics.views import metrics
from calls.prompts.views import prompt_audio
from calls.transcripts import views as transcript_views
from calls.transcripts.files import FORMS

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
    path("prompts/<uuid:prompt_id>/audio", prompt_audio, name="prompt_audio"),
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
    path("calls/<uuid:call_id>/commands/", views.call_commands, name="commands"),
    path(
        "calls/<uuid:call_id>/commands/<str:kind>", views.call_command, name="command"
    ),
    path("calls/<uuid:call_id>/timeline.json", timeline_json, name="timeline"),
    path(
        "calls/<uuid:call_id>/timeline/page.json", timeline_page, name="timeline_page"
    ),
    path("calls/<uuid:call_id>/markers.json", markers_json, name="markers"),
    path(
        "calls/<uuid:call_id>/transcript/page.json",
        transcript_views.transcript_json,
        name="transcript",
    ),
    *(
        path(
            f"calls/<uuid:call_id>/transcript.{form}",
            transcript_views.transcript_file,
            {"form": form},
            name=f"transcript_{form}",
        )
        for form in FORMS
    ),
    path("calls/<uuid:call_id>/review.json", review_views.review_json, name="review"),
    path("calls/<uuid:call_id>/review/notes", review_views.note_add, name="note_add"),
    path(
        "calls/<uuid:call_id>/review/notes/<int:note_id>/delete",
        review_views.note_delete,
        name="note_delete",
    ),
    path("calls/<uuid:call_id>/review/tags", review_views.tag_add, name="tag_add"),
    path(
        "calls/<uuid:call_id>/review/tags/remove",
        review_views.tag_remove,
        name="tag_remove",
    ),
    path("calls/<uuid:call_id>/review/rating", review_views.rating_set, name="rating"),
    path(
        "calls/<uuid:call_id>/review/follow-up",
        review_views.follow_up_set,
        name="follow_up",
    ),
    path("calls/tags.json", review_views.tags_json, name="tags"),
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
    path("calls/<uuid:call_id>/listeners.json", call_listeners, name="listeners"),
    path("webhooks/eventgrid", webhooks.eventgrid, name="eventgrid"),
    path("webhooks/calls/<str:secret>", webhooks.callback, name="callback"),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
    path("metrics", metrics, name="metrics"),
]
