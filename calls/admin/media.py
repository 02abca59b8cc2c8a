"""Sockets, subscriptions, recordings, ingest processes."""

from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.contrib import admin
from django.db.models import F, FloatField, Max, OuterRef, QuerySet, Subquery
from django.db.models.functions import Cast
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.decorators import display

from calls import formats, markup
from calls.admin.base import FactAdmin, OfCallAdmin
from calls.admin.filters import MomentRangeFilter, NodeFilter, RateFilter
from calls.audit.log import view_note
from calls.markup import party
from calls.models import (
    AuditAction,
    Connection,
    IngestProcess,
    Loss,
    Recording,
    Subscription,
)

JOURNAL_COLOURS = {
    "open": "info",
    "sealed": "info",
    "torn": "warning",
    "kept": "success",
    "missing": "danger",
}


@admin.register(Subscription)
class SubscriptionAdmin(OfCallAdmin):
    """Media-streaming subscriptions, as their AudioMetadata announced them."""

    list_display = (
        "subscription_id",
        "shown_call",
        "state",
        "encoding",
        "rate",
        "channels",
        "streams",
        "started",
        "ended",
    )
    list_filter = (
        ("state", ChoicesDropdownFilter),
        RateFilter,
        "is_mixed",
        ("started_at", MomentRangeFilter),
    )
    search_fields = ("subscription_id", "call__connection_id")

    @admin.display(description=_("Streams"), ordering="is_mixed")
    def streams(self, row: Subscription) -> str:
        """Show whether all speak in one stream."""
        return {True: "Mixed", False: "Unmixed", None: formats.NOTHING}[row.is_mixed]

    @admin.display(description=_("Started"), ordering="started_at")
    def started(self, row: Subscription) -> SafeString:
        """Show when it began."""
        return markup.moment(row.started_at)

    @admin.display(description=_("Ended"), ordering="ended_at")
    def ended(self, row: Subscription) -> SafeString:
        """Show when it ended."""
        return markup.moment(row.ended_at)


@admin.register(Connection)
class ConnectionAdmin(OfCallAdmin):
    """Sockets: what came over each and how it ended."""

    list_display = (
        "opened",
        "shown_call",
        "node",
        "remote_address",
        "length",
        "lost",
        "packets",
        "megabytes",
        "malformed",
        "unknown",
        "unjournaled",
        "close_code",
        "journal",
    )
    list_filter = (
        ("journal_state", ChoicesDropdownFilter),
        ("journal_end", ChoicesDropdownFilter),
        NodeFilter,
        ("opened_at", MomentRangeFilter),
    )
    search_fields = ("id", "call__connection_id", "remote_address", "close_reason")
    ordering = ("-opened_at",)

    @admin.display(description=_("Opened"), ordering="opened_at")
    def opened(self, row: Connection) -> SafeString:
        """Show when it opened."""
        return markup.moment(row.opened_at)

    @admin.display(description=_("Open for"))
    def length(self, row: Connection) -> str:
        """Show how long it was open."""
        return formats.clock((row.closed_at or timezone.now()) - row.opened_at)

    @display(
        description=_("Journal"),  # type: ignore[arg-type] # Unfold knows no lazy text
        ordering="journal_state",
        label=JOURNAL_COLOURS,
    )
    def journal(self, row: Connection) -> tuple[str, str]:
        """Show in a word where the bytes are."""
        return row.journal_state, row.journal_state.capitalize()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Connection]:
        """Return sockets with the longest gap that begins where each broke off."""
        rows: QuerySet[Connection] = super().get_queryset(request)
        length = Cast(F("samples"), FloatField()) / F("track__sample_rate")
        # A subquery: a sum of all would be made for all to show fifty.
        lost = (
            Loss.objects.filter(connection=OuterRef("pk"))
            .order_by()
            .values("connection")
            .annotate(longest=Max(length))
            .values("longest")
        )
        return rows.annotate(lost_seconds=Subquery(lost))

    @admin.display(description=_("Lost"), ordering="lost_seconds")
    def lost(self, row: Any) -> str | SafeString:
        """Show what is missing behind it, if its journal broke off or is damaged."""
        if not row.lost_seconds:
            return formats.NOTHING if row.lost_seconds is None else "0"
        shown = formats.seconds(row.lost_seconds)
        return format_html('<span class="console-bad">{}</span>', shown)

    @admin.display(description=_("PCM"), ordering="bytes")
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
        "rate",
        "megabytes",
        "error",
    )
    list_filter = (("state", ChoicesDropdownFilter), RateFilter)
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

    def view_note(self, request: HttpRequest, row: Recording) -> None:
        """Note a view of a recording's page."""
        view_note(AuditAction.RECORDING_VIEWED, request, row)

    @admin.display(description=_("Of"), ordering="track__participant__raw_id")
    def shown_party(self, row: Recording) -> str | SafeString:
        """Show whose audio it is."""
        if row.track is None:
            return "Mix of all"
        who = row.track.participant
        return party(who.raw_id, who.display_name)

    @admin.display(description=_("Verified"), ordering="verified_at")
    def verified(self, row: Recording) -> SafeString:
        """Show when it was read back and found true."""
        return markup.moment(row.verified_at)

    @admin.display(description=_("Length"), ordering="samples")
    def length(self, row: Recording) -> str:
        """Show how long it is."""
        return formats.clock(row.seconds)

    @admin.display(description=_("FLAC"), ordering="audio_bytes")
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
        description=_("Health"),  # type: ignore[arg-type] # Unfold knows no lazy text
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

    @admin.display(description=_("Started"), ordering="started_at")
    def started(self, row: IngestProcess) -> SafeString:
        """Show when it started."""
        return markup.moment(row.started_at)

    @admin.display(description=_("Last sign of life"), ordering="renewed_at")
    def renewed(self, row: IngestProcess) -> SafeString:
        """Show when it renewed its lease."""
        return markup.moment(row.renewed_at)
