"""Participants and their tracks."""

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from calls import formats, markup
from calls.admin.base import OfCallAdmin
from calls.admin.filters import CompletenessFilter, MomentRangeFilter, RateFilter
from calls.markup import bar, party
from calls.models import (
    Participant,
    Track,
)


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
        ("joined_at", MomentRangeFilter),
        "is_muted",
        "is_on_hold",
    )
    search_fields = ("raw_id", "display_name", "call__connection_id")
    ordering = ("-joined_at", "raw_id")
    readonly_fields = ("packets", "silence", "talk", "level", "gaps")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Participant]:
        """Return participants with their tracks, by one query more.

        Of two million nobody sums up the tracks of all to show those of fifty.
        """
        rows: QuerySet[Participant] = super().get_queryset(request)
        tracks = Track.objects.defer("ledger").order_by()
        return rows.prefetch_related(Prefetch("tracks", tracks, to_attr="heard"))

    @admin.display(description=_("Participant"), ordering="raw_id")
    def shown_party(self, row: Participant) -> str | SafeString:
        """Show the name, else the number."""
        return party(row.raw_id, row.display_name)

    @admin.display(description=_("Joined"), ordering="joined_at")
    def joined(self, row: Participant) -> SafeString:
        """Show when they joined."""
        return markup.moment(row.joined_at)

    @admin.display(description=_("Packets"))
    def packets(self, row: Any) -> str:
        """Show how many packets of theirs came."""
        return formats.count(_sum(row, "packets"))

    @admin.display(description=_("Silence"))
    def silence(self, row: Any) -> str | SafeString:
        """Show the share of packets that ACS flagged silent."""
        packets, silent = _sum(row, "packets"), _sum(row, "silent_packets")
        return bar((silent or 0) / packets if packets else None, "silence")

    @admin.display(description=_("Talk time"))
    def talk(self, row: Any) -> str:
        """Show how long they talked."""
        return formats.clock(_sum(row, "talk_seconds"))

    @admin.display(description=_("Level"))
    def level(self, row: Any) -> str:
        """Show how loud they were; of two tracks, the louder one says more."""
        levels = [one.rms_dbfs for one in row.heard if one.rms_dbfs is not None]
        return formats.dbfs(max(levels, default=None))

    @admin.display(description=_("Gaps"))
    def gaps(self, row: Any) -> str:
        """Show how much of theirs is missing."""
        number = _sum(row, "gap_count")
        return gap_text(
            None if number is None else int(number), _sum(row, "gap_seconds")
        )


def _sum(row: Any, name: str) -> Any:
    """Return the sum of a figure of a participant's tracks; None without any."""
    return sum(getattr(track, name) for track in row.heard) if row.heard else None


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
        RateFilter,
        "is_final",
        ("first_packet_at", MomentRangeFilter),
    )
    list_select_related: ClassVar[tuple[str, ...]] = ("call", "participant")
    search_fields = (
        "participant__raw_id",
        "participant__display_name",
        "call__connection_id",
    )
    ordering = ("-first_packet_at",)

    @admin.display(description=_("Participant"), ordering="participant__raw_id")
    def shown_party(self, row: Track) -> str | SafeString:
        """Show whose audio it is."""
        return party(row.participant.raw_id, row.participant.display_name)

    @admin.display(description=_("First packet"), ordering="first_packet_at")
    def first_packet(self, row: Track) -> SafeString:
        """Show when it begins."""
        return markup.moment(row.first_packet_at)

    @admin.display(description=_("Length"), ordering="samples")
    def length(self, row: Track) -> str:
        """Show the length of the timeline."""
        return formats.clock(row.seconds)

    @admin.display(description=_("Silence"))
    def silence(self, row: Track) -> str | SafeString:
        """Show the share of silent packets."""
        return bar(row.silence_ratio, "silence")

    @admin.display(description=_("Talk time"), ordering="talk_samples")
    def talk(self, row: Track) -> str:
        """Show how long they talked."""
        return formats.clock(row.talk_seconds)

    @admin.display(description=_("Level"), ordering="rms_dbfs")
    def level(self, row: Track) -> str:
        """Show how loud it is."""
        return formats.dbfs(row.rms_dbfs)

    @admin.display(description=_("Peak"), ordering="peak_dbfs")
    def peak(self, row: Track) -> str:
        """Show the loudest sample."""
        return formats.dbfs(row.peak_dbfs)

    @admin.display(description=_("Gaps"), ordering="gap_samples")
    def gaps(self, row: Track) -> str:
        """Show what is missing."""
        return gap_text(row.gap_count, row.gap_seconds)

    @admin.display(description=_("Jitter"), ordering="jitter_us")
    def jitter(self, row: Track) -> str:
        """Show how unevenly packets came."""
        return f"{row.jitter_us / 1000:.1f} ms"

    @admin.display(description=_("Complete"), ordering="completeness")
    def complete(self, row: Track) -> str | SafeString:
        """Show the received share."""
        return bar(row.completeness, "completeness")


def gap_text(number: int | None, seconds: float | None) -> str | SafeString:
    """Return how many gaps there are and how long they are together."""
    if not number:
        return formats.NOTHING if number is None else "0"
    return format_html(
        '<span class="console-bad">{} · {}</span>', number, formats.brief(seconds or 0)
    )
