"""Cells of the archive's list. All text is escaped."""

from __future__ import annotations

from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from calls import formats
from calls.markup import party
from calls.models import Call, Severity
from calls.models.call import Direction

TONES = {Severity.NOTICE: "notice", Severity.WARNING: "warn", Severity.CRITICAL: "bad"}
MOST_TAGS = 3


def moment_cell(call: Call) -> SafeString:
    """Return when it rang, in the viewer's zone; UTC when pointed at."""
    at = call.rang_at
    utc = at.astimezone(timezone.get_fixed_timezone(0))
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        utc.isoformat(timespec="seconds"),
        f"{utc:%Y-%m-%d %H:%M:%S}",
        formats.minute(at),
    )


def parties_cell(call: Call) -> SafeString:
    """Return who called whom, with an arrow for the direction."""
    inbound = call.direction == Direction.INBOUND
    return format_html(
        '<span class="console-direction" title="{0}" aria-hidden="true">{1}</span>'
        '<span class="console-hidden">{0}</span>'
        ' {2} <span class="console-dim">→</span> {3}',
        call.get_direction_display(),
        "↘" if inbound else "↗",
        party(call.from_raw_id, call.caller_name),
        party(call.to_raw_id),
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
