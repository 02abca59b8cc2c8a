"""Small pieces of HTML that admin columns and templates share. All text is escaped."""

import json
from collections.abc import Callable
from datetime import UTC, datetime

from django.utils.html import format_html
from django.utils.safestring import SafeString

from calls import formats
from calls.models import (
    Call,
    CallEvent,
    CommandState,
    Participant,
    Recording,
    StreamCommand,
    Track,
)
from calls.words import Code, Explanation, explain_event
from calls.words.told import Told, told_by

# Unfold's label variants for each state, so that one state has one colour everywhere.
CALL_COLOURS = {
    "ringing": "info",
    "answering": "info",
    "connected": "success",
    "ended": "",
    "failed": "danger",
}
STREAMING_COLOURS = {
    "off": "",
    "requested": "info",
    "connecting": "info",
    "streaming": "success",
    "stalled": "danger",
    "stopping": "info",
    "stopped": "",
    "failed": "danger",
}
# The same as tones of the console's own chips.
TONES = {"": "plain", "info": "busy", "success": "good", "danger": "bad"}
WANTED_STATES = ("requested", "connecting", "streaming", "stalled", "failed")
TRANSCRIPTION_COLOURS = {
    "off": "",
    "requested": "info",
    "running": "success",
    "stopping": "info",
    "stopped": "",
    "failed": "danger",
}
COMMAND_COLOURS = {
    "queued": "info",
    "sent": "info",
    "confirmed": "success",
    "failed": "danger",
    "timed_out": "warning",
}
ARCHIVE_COLOURS = {
    "none": "",
    "live": "info",
    "pending": "warning",
    "finished": "success",
    "failed": "danger",
}


def party(raw_id: str, name: str = "") -> str | SafeString:
    """Return a party as text whose title is the raw id."""
    if not raw_id:
        return formats.NOTHING
    return format_html(
        '<span class="console-party" title="{}">{}</span>',
        raw_id,
        name or formats.party(raw_id),
    )


def bar(share: float | None, kind: str) -> str | SafeString:
    """Return a share of 0 to 1 as a small bar with its percentage beside it.

    `kind` colours it: `silence` neutral, `completeness` red below the whole.
    """
    if share is None:
        return formats.NOTHING
    state = "short" if kind == "completeness" and share < 1 else "whole"
    return format_html(
        '<span class="console-bar" data-kind="{}" data-state="{}">'
        '<svg class="console-meter" aria-hidden="true">'
        '<rect width="{}%" height="100%"></rect></svg><b>{}</b></span>',
        kind,
        state,
        f"{share * 100:.2f}",
        formats.percent(share),
    )


def time(at: datetime | None, shown: Callable[[datetime | None], str]) -> SafeString:
    """Return a time as `shown` words it in the reader's zone, with UTC on pointing."""
    if at is None:
        return format_html("{}", formats.NOTHING)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        at.astimezone(UTC).isoformat(),
        formats.utc(at),
        shown(at),
    )


def moment(at: datetime | None) -> SafeString:
    """Return a time with its day, to the second."""
    return time(at, formats.moment)


def minute(at: datetime | None) -> SafeString:
    """Return a time with its day, to the minute: for long lists."""
    return time(at, formats.minute)


def time_of_day(at: datetime | None) -> SafeString:
    """Return a time of day, to the second."""
    return time(at, formats.time_of_day)


def moment_ms(at: datetime | None) -> SafeString:
    """Return a time of day, to the millisecond."""
    return time(at, formats.moment_ms)


def streaming_cell(call: Call, paused: str) -> SafeString:
    """Return what streaming really does; what was asked for, where that differs.

    `paused` is said under it.
    """
    wanted = call.streaming_state in WANTED_STATES
    differs = call.is_live and wanted != call.desired_streaming
    return format_html(
        '<span class="console-chip" data-tone="{}">{}</span>'
        ' <span class="console-dim">{}</span><div class="console-paused">{}</div>',
        TONES[STREAMING_COLOURS[call.streaming_state]],
        call.get_streaming_state_display(),
        f"wanted {'on' if call.desired_streaming else 'off'}" if differs else "",
        paused,
    )


def pretty_json(body: object) -> SafeString:
    """Return JSON with line breaks, escaped."""
    text = json.dumps(body, indent=2, ensure_ascii=False, sort_keys=True)
    return format_html('<pre class="console-json">{}</pre>', text)


def coded(words: str, code: str, advice: str = "") -> SafeString:
    """Return words with the raw code beside them, and the advice on pointing at it."""
    # Of a code that nobody has explained the words are the code.
    if not code or code in words:
        return format_html("{}", words)
    return format_html(
        '{} <code class="console-code" title="{}">{}</code>', words, advice, code
    )


def event_told(event: CallEvent) -> Told | None:
    """Return what an event says in words, None if it says nothing of a result."""
    return told_by(event.kind, event.body)


def event_words(event: CallEvent) -> str | SafeString:
    """Return the same as one line."""
    told = event_told(event)
    if told is None:
        return formats.NOTHING
    return coded(told.words.sentence, told.code, told.words.advice)


def told_words(told: Told) -> SafeString:
    """Return a result and what to do about it, with its code."""
    return coded(str(told.words), told.code)


def command_words(command: StreamCommand) -> str | SafeString:
    """Return the result of a command, with ACS's numbers if it was not carried out."""
    done = command.state == CommandState.CONFIRMED
    code = "" if done else str(Code(command.result_code, command.result_subcode))
    return coded(command.result, code) if command.result or code else formats.NOTHING


def end_told(call: Call) -> Explanation | None:
    """Return what the codes at the end of a call mean, None if there are none."""
    if call.end_code is None:
        return None
    return explain_event(code=call.end_code, subcode=call.end_subcode)


def end_code(call: Call) -> str:
    """Return the codes at the end of a call as ACS gave them; empty without."""
    # 0 alone is ours: ACS's word, from an API version that gives no codes.
    given = Code(call.end_code, call.end_subcode)
    return "" if given == Code(0) else str(given)


def call_title(call: Call | None) -> str:
    """Return a call as from → to; empty without one."""
    if call is None:
        return ""
    start = formats.who(call.caller_name, call.from_raw_id)
    return f"{start or '?'} → {formats.party(call.to_raw_id) or '?'}"


def page_title(row: object) -> str:
    """Return what a page about `row` is called."""
    match row:
        case Call():
            return call_title(row)
        case Participant():
            return formats.who(row.display_name, row.raw_id)
        case Track():
            return f"{page_title(row.participant)}, {row.sample_rate // 1000} kHz"
        case Recording():
            who = page_title(row.track.participant) if row.track else "Mix"
            return f"{who}, {formats.clock(row.seconds)}"
        case _:
            return str(row)
