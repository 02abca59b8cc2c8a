"""Cells of the archive's list. All text is escaped."""

from __future__ import annotations

from datetime import UTC

from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from calls import formats, markup
from calls.models import Call, Severity
from calls.models.states import ArchiveState, Direction
from calls.offers import paused_words

TONES = {Severity.NOTICE: "notice", Severity.WARNING: "warn", Severity.CRITICAL: "bad"}
MOST_TAGS = 3
# The model's own labels are sentences; a column has room for a word.
ARCHIVE_WORDS = {
    "live": gettext_lazy("Receiving"),
    "pending": gettext_lazy("Pending"),
    "failed": gettext_lazy("Failed"),
}
WARNING = {**markup.TONES, "warning": "warn"}


def moment_cell(call: Call) -> SafeString:
    """Return when it rang, in the viewer's zone; UTC when pointed at."""
    at = call.rang_at
    utc = at.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        utc.isoformat(timespec="seconds"),
        f"{utc:%Y-%m-%d %H:%M:%S}",
        formats.minute(at),
    )


def parties_cell(call: Call) -> SafeString:
    """Return who called whom, with an arrow for the direction: the call's link."""
    inbound = call.direction == Direction.INBOUND
    return format_html(
        '<a class="archive-call" href="{4}">'
        '<span class="console-direction" title="{0}" aria-hidden="true">{1}</span>'
        '<span class="console-hidden">{0}</span>'
        ' {2} <span class="console-dim">→</span> {3}</a>',
        call.get_direction_display(),
        "↘" if inbound else "↗",
        markup.party(call.from_raw_id, call.caller_name),
        markup.party(call.to_raw_id),
        page_address(call),
    )


def page_address(call: Call) -> str:
    """Return the address of a call's page."""
    return reverse("admin:calls_call_change", args=[call.pk])


def chip(words: object, colour: str) -> SafeString:
    """Return a word on its colour."""
    return format_html(
        '<span class="console-chip" data-tone="{}">{}</span>', WARNING[colour], words
    )


def state_cell(call: Call) -> str:
    """Return the state of the call, and that it is paused."""
    return format_html(
        '{}<div class="console-paused">{}</div>',
        chip(call.get_state_display(), markup.CALL_COLOURS[call.state]),
        paused_words(call),
    )


def archive_cell(call: Call) -> str:
    """Return how far the recordings are; what leads to the player, once they are."""
    if call.archive_state == ArchiveState.FINISHED:
        return play_link(call)
    if call.archive_state == ArchiveState.NONE:
        return formats.NOTHING
    colour = markup.ARCHIVE_COLOURS[call.archive_state]
    return chip(ARCHIVE_WORDS[call.archive_state], colour)


def streaming_cell(call: Call) -> str:
    """Return what streaming really does; what was asked for, where that differs."""
    return markup.streaming_cell(call, paused_words(call))


def length_cell(call: Call) -> str:
    """Return how long it lasted, or lasts."""
    return formats.clock(call.duration(timezone.now()))


def people_cell(call: Call) -> str:
    """Return how many took part."""
    return formats.count(call.people_count)


def silence_cell(call: Call) -> str:
    """Return the share of all packets that ACS flagged silent."""
    return markup.bar(call.silence_ratio, "silence")


def complete_cell(call: Call) -> str:
    """Return the received share."""
    share = call.completeness
    if share is None:
        return formats.NOTHING
    colour = "success" if share >= 1 else "danger"
    return chip(formats.percent(share), colour)


def profile_cell(call: Call) -> str:
    """Return by what profile it was streamed."""
    return call.profile.name if call.profile else formats.NOTHING


def transcript_cell(call: Call) -> str:
    """Return whether there are words of it."""
    return _("Yes") if call.has_transcript else formats.NOTHING


def play_link(call: Call) -> str:
    """Return what leads to the player."""
    return format_html(
        '<a class="archive-play" href="{}#player" title="{}" aria-label="{}">'
        '<span class="material-symbols-outlined" aria-hidden="true">play_circle'
        "</span>{}</a>",
        page_address(call),
        _("Verified recordings"),
        _("Play %(call)s") % {"call": markup.call_title(call)},
        _("Play"),
    )


def alarms_cell(call: Call) -> str | SafeString:
    """Return how many alarms there were, with a dot for the worst."""
    if not call.alarm_severity:
        return formats.NOTHING
    worst = Severity(min(call.alarm_severity, Severity.CRITICAL))
    words = ngettext(
        "%(n)s alarm, the worst: %(worst)s",
        "%(n)s alarms, the worst: %(worst)s",
        call.alarm_count,
    ) % {"n": formats.count(call.alarm_count), "worst": worst.label}
    return format_html(
        '<span class="archive-alarms" data-tone="{}" title="{}">'
        '<i aria-hidden="true"></i>{}<span class="console-hidden"> {}</span></span>',
        TONES[worst],
        words,
        formats.count(call.alarm_count),
        worst.label,
    )


def tags_cell(call: Call) -> str | SafeString:
    """Return the tags, a few of them by name."""
    names = sorted(tag.name for tag in call.tags.all())
    if not names:
        return formats.NOTHING
    chips = format_html_join(
        " ",
        '<span class="archive-tag">{}</span>',
        ((name,) for name in names[:MOST_TAGS]),
    )
    rest = names[MOST_TAGS:]
    if not rest:
        return chips
    return format_html(
        '{} <span class="console-dim" title="{}">+{}</span>',
        chips,
        ", ".join(rest),
        len(rest),
    )


def stars_cell(call: Call) -> str | SafeString:
    """Return the rating as stars."""
    if call.rating is None:
        return formats.NOTHING
    return format_html(
        '<span class="archive-stars" title="{0}" role="img" aria-label="{0}">'
        "{1}<i>{2}</i></span>",
        _("%(n)s of 5") % {"n": call.rating},
        "★" * call.rating,
        "★" * (5 - call.rating),
    )


def follow_up_cell(call: Call) -> str | SafeString:
    """Return whether somebody is to come back to it, and who."""
    if not call.needs_follow_up:
        return formats.NOTHING
    who = call.follow_up_assignee
    return format_html(
        '<span class="archive-flag"><span class="material-symbols-outlined"'
        ' aria-hidden="true">flag</span>{}</span>',
        who.get_username() if who else _("nobody yet"),
    )
