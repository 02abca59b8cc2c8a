"""The filters of the archive, in the order of the panel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from calls.admin.archive.inputs import (
    ArchiveFilter,
    Choice,
    ChoiceFilter,
    RangeFilter,
    TextFilter,
    number_of,
    seconds_of,
)
from calls.admin.archive.said import SaidFilter, TranscriptFilter
from calls.admin.archive.when import PresetFilter, RangFilter
from calls.models import Alarm, AlarmKind, Call, Severity, StreamingProfile, Tag
from calls.search import calls_with_party


class PartyFilter(TextFilter):
    """Who called or was called: a number or a name, or a part of it."""

    title = gettext_lazy("number or name")
    label = gettext_lazy("From or to")
    hint = gettext_lazy("number or name, 3 characters or more")
    names = ("party",)

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return their calls."""
        fields = ("from_raw_id", "to_raw_id", "caller_name")
        found, self.words = calls_with_party(queryset, value, fields)
        return found


class PersonFilter(TextFilter):
    """Who took part: a number or a name, or a part of it."""

    title = gettext_lazy("participant")
    label = gettext_lazy("Participant")
    hint = gettext_lazy("anybody who was in it")
    names = ("person",)

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls they were in."""
        found, self.words = calls_with_party(queryset, value, ("people_text",))
        return found


class FieldFilter(ChoiceFilter):
    """A column that has choices."""

    field: ClassVar[str] = ""

    def options(self) -> list[Choice]:
        """Return the column's choices."""
        column: Any = Call._meta.get_field(self.field)
        found = column.choices
        return [(str(value), str(words)) for value, words in found]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls that have it."""
        return queryset.filter(**{self.field: value})


class DirectionFilter(FieldFilter):
    """Who rang."""

    title = label = gettext_lazy("Direction")
    field = "direction"
    names = ("direction__exact",)


class StateFilter(FieldFilter):
    """Where the call is."""

    title = label = gettext_lazy("State")
    field = "state"
    names = ("state__exact",)


class StreamingFilter(FieldFilter):
    """What streaming does or did."""

    title = label = gettext_lazy("Streaming")
    field = "streaming_state"
    names = ("streaming_state__exact",)


class ArchivedFilter(FieldFilter):
    """How far the recordings are."""

    title = label = gettext_lazy("Recordings")
    field = "archive_state"
    names = ("archive_state__exact",)


class LiveFilter(ChoiceFilter):
    """Whether the call is still running."""

    title = label = gettext_lazy("Live or over")
    names = ("live",)

    def options(self) -> list[Choice]:
        """Return the choices."""
        return [("yes", _("Live")), ("no", _("Over"))]

    def narrow(self, queryset: Any, value: str) -> QuerySet[Any]:
        """Return the calls of the choice."""
        found: QuerySet[Any] = queryset.live() if value == "yes" else queryset.ended()
        return found


class CompleteFilter(ChoiceFilter):
    """Whether everything that was expected was received."""

    title = label = gettext_lazy("Completeness")
    names = ("complete",)

    def options(self) -> list[Choice]:
        """Return the choices."""
        return [
            ("yes", _("Complete")),
            ("no", _("Incomplete")),
            ("under99", _("Below 99 %")),
            ("unknown", _("Not known")),
        ]

    def narrow(self, queryset: Any, value: str) -> QuerySet[Any]:
        """Return the calls of the choice."""
        found: QuerySet[Any]
        match value:
            case "yes":
                found = queryset.filter(completeness__gte=1)
            case "no":
                found = queryset.incomplete()
            case "under99":
                found = queryset.filter(completeness__lt=0.99)
            case _:
                found = queryset.filter(completeness=None)
        return found


class DurationFilter(RangeFilter):
    """How long the call lasted; calls that run have no duration yet."""

    title = label = gettext_lazy("Duration")
    hint = gettext_lazy("m:ss, or seconds")
    field = "duration_ms"
    names = ("duration_from", "duration_to")

    def read(self, text: str) -> float | None:
        """Return milliseconds."""
        seconds = seconds_of(text)
        return None if seconds is None else int(seconds * 1000)


class SilenceFilter(RangeFilter):
    """The silent share of all packets."""

    title = label = gettext_lazy("Silence")
    hint = gettext_lazy("percent")
    field = "silence_ratio"
    names = ("silence_from", "silence_to")

    def read(self, text: str) -> float | None:
        """Return a share of 0 to 1."""
        percent = number_of(text)
        return None if percent is None else percent / 100


class AlarmFilter(ChoiceFilter):
    """How bad the worst alarm was that the call ever had."""

    title = label = gettext_lazy("Alarms")
    names = ("alarm",)

    def options(self) -> list[Choice]:
        """Return the choices."""
        return [
            ("any", _("Any alarm")),
            ("warning", _("Warning or worse")),
            ("critical", _("Critical")),
            ("none", _("None")),
        ]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls of the choice."""
        if value == "none":
            return queryset.filter(alarm_severity=0)
        least = {"warning": Severity.WARNING, "critical": Severity.CRITICAL}
        return queryset.filter(alarm_severity__gte=least.get(value, Severity.NOTICE))


class AlarmKindFilter(ChoiceFilter):
    """An alarm of a kind that the call had, closed or not."""

    title = label = gettext_lazy("Kind of alarm")
    names = ("alarm_kind",)

    def options(self) -> list[Choice]:
        """Return the kinds; those of nodes are of no call."""
        nodes = (AlarmKind.NODE_FULL, AlarmKind.DISK_LOW, AlarmKind.STORAGE)
        return [(one.value, str(one.label)) for one in AlarmKind if one not in nodes]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls that had one."""
        alarms = Alarm.objects.filter(kind=value, call__isnull=False).order_by()
        return queryset.filter(pk__in=alarms.values("call_id"))


class TagFilter(ChoiceFilter):
    """A word that somebody put on the call."""

    title = label = gettext_lazy("Tag")
    names = ("tag",)

    def options(self) -> list[Choice]:
        """Return all tags."""
        return [(str(pk), name) for pk, name in Tag.objects.values_list("pk", "name")]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls that have it."""
        tagged = Call.tags.through.objects.filter(tag_id=int(value))
        return queryset.filter(pk__in=tagged.values("call_id"))


class RatingFilter(ChoiceFilter):
    """What somebody made of the call."""

    title = label = gettext_lazy("Rating")
    names = ("rating",)

    def options(self) -> list[Choice]:
        """Return the stars."""
        stars = [(str(number), "★" * number) for number in range(5, 0, -1)]
        return [
            *stars,
            ("low", _("★★ or less")),
            ("any", _("Rated")),
            ("none", _("Not rated")),
        ]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls of the choice."""
        match value:
            case "low":
                return queryset.filter(rating__lte=2)
            case "any":
                return queryset.filter(rating__gte=1)
            case "none":
                return queryset.filter(rating=None)
            case _:
                return queryset.filter(rating=int(value))


class FollowUpFilter(ChoiceFilter):
    """Whether somebody is to come back to the call."""

    title = label = gettext_lazy("Follow-up")
    names = ("follow_up",)

    def options(self) -> list[Choice]:
        """Return the choices."""
        return [
            ("mine", _("Mine")),
            ("any", _("Anybody's")),
            ("nobody", _("Nobody's yet")),
            ("no", _("None needed")),
        ]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return the calls of the choice."""
        if value == "no":
            return queryset.filter(needs_follow_up=False)
        queryset = queryset.filter(needs_follow_up=True)
        if value == "mine":
            return queryset.filter(follow_up_assignee_id=self.request.user.pk)
        if value == "nobody":
            return queryset.filter(follow_up_assignee=None)
        return queryset


class ProfileFilter(ChoiceFilter):
    """By what profile it was streamed."""

    title = label = gettext_lazy("Profile")
    names = ("profile__id__exact",)

    def options(self) -> list[Choice]:
        """Return the profiles."""
        profiles = StreamingProfile.objects.order_by("name")
        return [(str(pk), name) for pk, name in profiles.values_list("pk", "name")]

    def narrow(self, queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Return its calls."""
        return queryset.filter(profile_id=int(value))


FILTERS: Sequence[type[ArchiveFilter]] = (
    PresetFilter,
    RangFilter,
    PartyFilter,
    PersonFilter,
    DirectionFilter,
    LiveFilter,
    StateFilter,
    DurationFilter,
    SilenceFilter,
    CompleteFilter,
    AlarmFilter,
    AlarmKindFilter,
    TagFilter,
    RatingFilter,
    FollowUpFilter,
    ProfileFilter,
    StreamingFilter,
    ArchivedFilter,
    TranscriptFilter,
    SaidFilter,
)
# Whatever else a query string holds is no filter.
NAMES = frozenset(name for one in FILTERS for name in one.names)
