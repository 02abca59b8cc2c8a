"""What was received: participants, tracks, sockets, recordings, processes."""

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.db.models import F, FloatField, Max, QuerySet, Sum
from django.db.models.functions import Cast, NullIf
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.contrib.filters.admin import ChoicesDropdownFilter, RangeDateTimeFilter
from unfold.decorators import display

from calls import formats
from calls.admin.base import FactAdmin, page_link
from calls.admin.filters import CompletenessFilter
from calls.markup import bar, call_title, party
from calls.models import (
    Connection,
    IngestProcess,
    Participant,
    Recording,
    Subscription,
    Track,
)


class OfCallAdmin(FactAdmin):
    """A fact that belongs to a call."""

    list_select_related: ClassVar[tuple[str, ...]] = ("call",)

    @display(description="Call", ordering="call__rang_at")
    def shown_call(self, row: Any) -> str | SafeString:
        """Show the call."""
        return page_link(row.call, call_title(row.call))


@admin.register(Participant)
class ParticipantAdmin(OfCallAdmin):
    """Who was in a call, with the figures of all of their tracks."""

    list_display = (
        "shown_party",
        "shown_call",
        "joined",
        "packets",
        "silence",
        "talk",
        "level",
        "gaps",
    )
    list_filter = (
        ("call__state", ChoicesDropdownFilter),
        ("joined_at", RangeDateTimeFilter),
        "is_muted",
        "is_on_hold",
    )
    search_fields = ("raw_id", "display_name", "call__connection_id")
    ordering = ("-joined_at", "raw_id")
    readonly_fields = ("packets", "silence", "talk", "level", "gaps")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Participant]:
        """Return participants with the sums of their tracks, in one query."""
        rate = F("tracks__sample_rate")
        rows: QuerySet[Participant] = super().get_queryset(request)
        return rows.annotate(
            packet_sum=Sum("tracks__packets"),
            silence_ratio=Cast(Sum("tracks__silent_packets"), FloatField())
            / NullIf(Sum("tracks__packets"), 0),
            talk_seconds=Sum(Cast(F("tracks__talk_samples"), FloatField()) / rate),
            gap_seconds=Sum(Cast(F("tracks__gap_samples"), FloatField()) / rate),
            gap_sum=Sum("tracks__gap_count"),
            # One track is the rule; of two, the louder one says more.
            rms=Max("tracks__rms_dbfs"),
        )

    @display(description="Participant", ordering="raw_id")
    def shown_party(self, row: Participant) -> str | SafeString:
        """Show the name, else the number."""
        return party(row.raw_id, row.display_name)

    @display(description="Joined", ordering="joined_at")
    def joined(self, row: Participant) -> str:
        """Show when they joined."""
        return formats.moment(row.joined_at)

    @display(description="Packets", ordering="packet_sum")
    def packets(self, row: Any) -> str:
        """Show how many packets of theirs came."""
        return formats.count(row.packet_sum)

    @display(description="Silence", ordering="silence_ratio")
    def silence(self, row: Any) -> str | SafeString:
        """Show the share of packets that ACS flagged silent."""
        return bar(row.silence_ratio, "silence")

    @display(description="Talk time", ordering="talk_seconds")
    def talk(self, row: Any) -> str:
        """Show how long they talked."""
        return formats.clock(row.talk_seconds)

    @display(description="Level", ordering="rms")
    def level(self, row: Any) -> str:
        """Show how loud they were."""
        return formats.dbfs(row.rms)

    @display(description="Gaps", ordering="gap_seconds")
    def gaps(self, row: Any) -> str:
        """Show how much of theirs is missing."""
        return gap_text(row.gap_sum, row.gap_seconds)


@admin.register(Track)
class TrackAdmin(OfCallAdmin):
    """One participant's audio: timeline and figures."""

    list_display = (
        "shown_party",
        "shown_call",
        "first_packet",
        "length",
        "packets",
        "silence",
        "talk",
        "level",
        "peak",
        "gaps",
        "late",
        "duplicates",
        "jitter",
        "complete",
    )
    list_filter = (
        CompletenessFilter,
        "sample_rate",
        "is_final",
        ("first_packet_at", RangeDateTimeFilter),
    )
    list_select_related: ClassVar[tuple[str, ...]] = ("call", "participant")
    search_fields = (
        "participant__raw_id",
        "participant__display_name",
        "call__connection_id",
    )
    ordering = ("-first_packet_at",)
    date_hierarchy = "first_packet_at"

    @display(description="Participant", ordering="participant__raw_id")
    def shown_party(self, row: Track) -> str | SafeString:
        """Show whose audio it is."""
        return party(row.participant.raw_id, row.participant.display_name)

    @display(description="First packet", ordering="first_packet_at")
    def first_packet(self, row: Track) -> str:
        """Show when it begins."""
        return formats.moment(row.first_packet_at)

    @display(description="Length", ordering="samples")
    def length(self, row: Track) -> str:
        """Show the length of the timeline."""
        return formats.clock(row.seconds)

    @display(description="Silence")
    def silence(self, row: Track) -> str | SafeString:
        """Show the share of silent packets."""
        return bar(row.silence_ratio, "silence")

    @display(description="Talk time", ordering="talk_samples")
    def talk(self, row: Track) -> str:
        """Show how long they talked."""
        return formats.clock(row.talk_seconds)

    @display(description="Level", ordering="rms_dbfs")
    def level(self, row: Track) -> str:
        """Show how loud it is."""
        return formats.dbfs(row.rms_dbfs)

    @display(description="Peak", ordering="peak_dbfs")
    def peak(self, row: Track) -> str:
        """Show the loudest sample."""
        return formats.dbfs(row.peak_dbfs)

    @display(description="Gaps", ordering="gap_samples")
    def gaps(self, row: Track) -> str:
        """Show what is missing."""
        return gap_text(row.gap_count, row.gap_seconds)

    @display(description="Jitter", ordering="jitter_us")
    def jitter(self, row: Track) -> str:
        """Show how unevenly packets came."""
        return f"{row.jitter_us / 1000:.1f} ms"

    @display(description="Complete", ordering="completeness")
    def complete(self, row: Track) -> str | SafeString:
        """Show the received share."""
        return bar(row.completeness, "completeness")


@admin.register(Subscription)
class SubscriptionAdmin(OfCallAdmin):
    """Media-streaming subscriptions, as their AudioMetadata announced them."""

    list_display = (
        "subscription_id",
        "shown_call",
        "state",
        "encoding",
        "sample_rate",
        "channels",
        "is_mixed",
        "is_bidirectional",
        "started",
        "ended",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        "sample_rate",
        "is_mixed",
        ("started_at", RangeDateTimeFilter),
    )
    search_fields = ("subscription_id", "call__connection_id")
    date_hierarchy = "started_at"

    @display(description="Started", ordering="started_at")
    def started(self, row: Subscription) -> str:
        """Show when it began."""
        return formats.moment(row.started_at)

    @display(description="Ended", ordering="ended_at")
    def ended(self, row: Subscription) -> str:
        """Show when it ended."""
        return formats.moment(row.ended_at)


@admin.register(Connection)
class ConnectionAdmin(OfCallAdmin):
    """Sockets: what came over each and how it ended."""

    list_display = (
        "opened",
        "shown_call",
        "node",
        "remote_address",
        "length",
        "packets",
        "megabytes",
        "malformed",
        "unknown",
        "unjournaled",
        "close_code",
        "journal_state",
    )
    list_filter = (
        ("journal_state", ChoicesDropdownFilter),
        "node",
        ("opened_at", RangeDateTimeFilter),
    )
    search_fields = ("id", "call__connection_id", "remote_address", "close_reason")
    ordering = ("-opened_at",)
    date_hierarchy = "opened_at"

    @display(description="Opened", ordering="opened_at")
    def opened(self, row: Connection) -> str:
        """Show when it opened."""
        return formats.moment(row.opened_at)

    @display(description="Open for")
    def length(self, row: Connection) -> str:
        """Show how long it was open."""
        return formats.clock((row.closed_at or timezone.now()) - row.opened_at)

    @display(description="PCM", ordering="bytes")
    def megabytes(self, row: Connection) -> str:
        """Show how much audio came."""
        return formats.size(row.bytes)


@admin.register(Recording)
class RecordingAdmin(OfCallAdmin):
    """Finished audio files."""

    list_display = (
        "shown_party",
        "shown_call",
        "verified",
        "state",
        "length",
        "sample_rate",
        "megabytes",
        "error",
    )
    list_filter = (("state", ChoicesDropdownFilter), "sample_rate")
    list_select_related: ClassVar[tuple[str, ...]] = ("call", "track__participant")
    search_fields = (
        "id",
        "audio",
        "audio_sha256",
        "call__from_raw_id",
        "call__to_raw_id",
        "call__connection_id",
        "track__participant__raw_id",
    )
    ordering = ("-verified_at",)
    date_hierarchy = "verified_at"

    @display(description="Of", ordering="track__participant__raw_id")
    def shown_party(self, row: Recording) -> str | SafeString:
        """Show whose audio it is."""
        if row.track is None:
            return "Mix of all"
        who = row.track.participant
        return party(who.raw_id, who.display_name)

    @display(description="Verified", ordering="verified_at")
    def verified(self, row: Recording) -> str:
        """Show when it was read back and found true."""
        return formats.moment(row.verified_at)

    @display(description="Length", ordering="samples")
    def length(self, row: Recording) -> str:
        """Show how long it is."""
        return formats.clock(row.seconds)

    @display(description="FLAC", ordering="audio_bytes")
    def megabytes(self, row: Recording) -> str:
        """Show how big the file is."""
        return formats.size(row.audio_bytes)


@admin.register(IngestProcess)
class IngestProcessAdmin(FactAdmin):
    """Ingest processes and their leases."""

    list_display = (
        "node",
        "pid",
        "health",
        "started",
        "renewed",
        "streams",
        "refused",
    )
    list_filter = ("node",)
    search_fields = ("id", "node")

    @display(
        description="Health",
        label={"running": "success", "stopped": "", "dead": "danger"},
    )
    def health(self, row: IngestProcess) -> tuple[str, str]:
        """Show whether it runs, was stopped, or has gone without a word."""
        if row.stopped_at:
            return "stopped", "Stopped"
        lease = timedelta(seconds=settings.LEASE_SECONDS)
        if row.renewed_at + lease < timezone.now():
            return "dead", "Lease ran out"
        return "running", "Running"

    @display(description="Started", ordering="started_at")
    def started(self, row: IngestProcess) -> str:
        """Show when it started."""
        return formats.moment(row.started_at)

    @display(description="Last sign of life", ordering="renewed_at")
    def renewed(self, row: IngestProcess) -> str:
        """Show when it renewed its lease."""
        return formats.moment(row.renewed_at)


def gap_text(number: int | None, seconds: float | None) -> str | SafeString:
    """Return how many gaps there are and how long they are together."""
    if not number:
        return formats.NOTHING if number is None else "0"
    return format_html(
        '<span class="console-bad">{} · {}</span>', number, formats.brief(seconds or 0)
    )
