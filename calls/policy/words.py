"""Answering rules and profiles as sentences."""

from datetime import time
from urllib.parse import urlsplit

from calls import formats
from calls.models.policy import AnswerRule
from calls.models.profiles import Retention, StreamingProfile, TranscriptionStart

DAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
)


def summary(rule: AnswerRule) -> str:
    """Return a rule as one sentence: which calls, when, and what becomes of them."""
    parts = ["Calls" if rule.called or rule.calling else "Every call"]
    if rule.calling:
        parts.append(f"from {_listed(rule.calling)}")
    if rule.called:
        parts.append(f"to {_listed(rule.called)}")
    if rule.weekdays or rule.starts_at is not None:
        parts.append(f"on {hours(rule)} ({rule.time_zone})")
    if rule.share < 100:
        parts.append(f"in {rule.share} % of cases")
    return f"{' '.join(parts)} → {action_words(rule)}"


def _listed(field: str) -> str:
    return " or ".join(part.strip() for part in field.split(",") if part.strip())


def action_words(rule: AnswerRule | None) -> str:
    """Return what a rule does, in a few words; without one, the default."""
    if rule is None:
        return "answer with the default profile"
    match rule.action:
        case AnswerRule.Action.ANSWER:
            return f"answer with “{rule.profile or 'the default profile'}”"
        case AnswerRule.Action.REJECT:
            reason = rule.reject_reason
            return "reject" if reason == "none" else f"reject as {reason}"
        case AnswerRule.Action.REDIRECT:
            return f"redirect to {formats.party(rule.target) or 'nobody'}"
        case _:
            return "ignore"


def hours(rule: AnswerRule) -> str:
    """Return when a rule is open: `weekdays 22:00–06:00`."""
    days = _days(rule.weekdays)
    if rule.starts_at is None or rule.ends_at is None:
        return days
    return f"{days} {_clock(rule.starts_at)}–{_clock(rule.ends_at)}"


def _clock(at: time) -> str:
    return f"{at:%H:%M:%S}" if at.second else f"{at:%H:%M}"


def _days(weekdays: str) -> str:
    known = {"": "every day", "12345": "weekdays", "67": "weekends"}
    known["1234567"] = known[""]
    if weekdays in known:
        return known[weekdays]
    names = [DAYS[int(day) - 1] for day in weekdays if day in "1234567"]
    is_run = weekdays in "1234567" and len(names) > 2
    return f"{names[0]}–{names[-1]}" if is_run else ", ".join(names)


def told(rule: AnswerRule | None, profile: StreamingProfile) -> list[str]:
    """Return what ACS is told of a call, a sentence each.

    `profile` is what a call is answered with; it says nothing of calls that are not.
    """
    if rule is None or rule.action == AnswerRule.Action.ANSWER:
        return ["Answer the call.", *profile_words(profile)]
    match rule.action:
        case AnswerRule.Action.REJECT:
            return [f"Reject the call; reason: {rule.get_reject_reason_display()}."]
        case AnswerRule.Action.REDIRECT:
            return [f"Redirect the call to {formats.party(rule.target)}."]
        case _:
            return ["Nothing. The call is noted here and rings on elsewhere."]


def profile_words(profile: StreamingProfile) -> list[str]:
    """Return what a profile asks ACS for, a sentence each."""
    is_mixed = profile.channels == StreamingProfile.Channels.MIXED
    channels = "all voices in one stream" if is_mixed else "each voice apart"
    start = "when answered" if profile.start_at_answer else "when somebody starts it"
    return [
        f"Stream audio {start}: {channels}, {profile.sample_rate // 1000} kHz.",
        f"Send it to {_host(profile)}.",
        "Audio may be sent into the call."
        if profile.bidirectional
        else "Audio goes one way only.",
        f"Send {'' if profile.dtmf_tones else 'no '}DTMF tones.",
        *_keys(profile),
        _transcription(profile),
        *([f"Let “{profile.handler}” hear it."] if profile.handler else []),
    ]


def _keys(profile: StreamingProfile) -> list[str]:
    """Return what else is done about keys that are pressed."""
    words = {
        "Tell of keys by callbacks too, from when a phone is connected.": (
            profile.tone_recognition
        ),
        "Keep only that a key was pressed, not which.": profile.masks_tones,
    }
    return [sentence for sentence, on in words.items() if on]


def retention_words(profile: StreamingProfile) -> str:
    """Return the retention class as a word."""
    return Retention(profile.retention).label.partition(":")[0]


def _host(profile: StreamingProfile) -> str:
    # The host alone: a path may be long, and is our own affair.
    parts = urlsplit(profile.media_base)
    where = f"{parts.scheme}://{parts.netloc}" if parts.netloc else "nowhere"
    return where if profile.media_url else f"{where} (ACSSTREAM_MEDIA_URL)"


def _transcription(profile: StreamingProfile) -> str:
    if profile.transcription == TranscriptionStart.OFF:
        return "No transcription."
    start = TranscriptionStart(profile.transcription).label.lower()
    extras = {
        "with intermediate results": profile.intermediate_results,
    }
    more = [words for words, on in extras.items() if on]
    return f"Transcribe {profile.locale} {', '.join([start, *more])}."
