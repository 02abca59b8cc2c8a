"""Facts as operations staff read them: parties, durations, levels, shares.

Pure functions from values to plain text. The text is escaped where it is shown.
"""

import re
from datetime import UTC, datetime, timedelta

from django.utils import timezone

from streaming.protocol import ParticipantKind, display, participant_kind

NOTHING = "\N{EN DASH}"

_PHONE = re.compile(r"\+?([0-9]{3,})")
# Calling codes have one to three digits and none begins another (ITU-T E.164).
_ONE_DIGIT_CODES = {"1", "7"}
# fmt: off
_TWO_DIGIT_CODES = {
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45",
    "46", "47", "48", "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61",
    "62", "63", "64", "65", "66", "81", "82", "84", "86", "90", "91", "92", "93", "94",
    "95", "98",
}
# fmt: on


def party(raw_id: str) -> str:
    """Return a raw id as the protocol names it for people, numbers in groups.

    Empty for an empty one: who calls is then not known.

    >>> party("4:+12065550100")
    '+1 206 555 0100'
    >>> party("8:acs:9d7c_00000013-1a2b")
    'ACS user 00000013-1a2b'
    """
    if not raw_id:
        return ""
    name = display(raw_id)
    number = _PHONE.fullmatch(name)
    if number and participant_kind(raw_id) is ParticipantKind.PHONE:
        return phone(number[1])
    return name or raw_id


def who(name: str, raw_id: str) -> str:
    """Return a party by the name ACS gave, else as `party` words its raw id."""
    return name or party(raw_id)


def phone(digits: str) -> str:
    """Return an international number, given without its plus sign, in groups."""
    if digits[0] in _ONE_DIGIT_CODES:
        code = 1
    else:
        code = 2 if digits[:2] in _TWO_DIGIT_CODES else 3
    rest = digits[code:]
    groups = [rest[at : at + 3] for at in range(0, len(rest), 3)]
    # A last group of one digit reads badly: 206 555 0100, not 206 555 010 0.
    if len(groups) > 1 and len(groups[-1]) == 1:
        groups[-2:] = [groups[-2] + groups[-1]]
    return " ".join([f"+{digits[:code]}", *groups])


def clock(seconds: float | timedelta | None) -> str:
    """Return a length of time as m:ss, or h:mm:ss from an hour on."""
    if seconds is None:
        return NOTHING
    if isinstance(seconds, timedelta):
        seconds = seconds.total_seconds()
    minutes, second = divmod(int(seconds), 60)
    hours, minute = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minute:02}:{second:02}"
    return f"{minute}:{second:02}"


def brief(seconds: float) -> str:
    """Return a short length of time with what precision it deserves."""
    if seconds <= 0:
        return "0"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)


def seconds(length: float) -> str:
    """Return what is missing, in seconds: what is not nothing never shows as 0."""
    if length >= 60:
        return clock(length)
    return f"{max(length, 0.01):.2f} s"


def delay(length: float) -> str:
    """Return how long an event was on its way, by the clocks of both ends."""
    if length < 0:
        # It cannot be: the clocks disagree by at least that much.
        return f"received {brief(-length)} before it happened, by our clock"
    return f"received {brief(length)} later"


def percent(share: float | None) -> str:
    """Return a share of 0 to 1 in percent.

    100 % is said of the whole only: 99.96 % must not round up to it.
    """
    if share is None:
        return NOTHING
    if share >= 1 or share <= 0:
        return f"{share * 100:.0f} %"
    return f"{min(share * 100, 99.9):.1f} %"


def dbfs(level: float | None) -> str:
    """Return a level in dB relative to full scale, with a real minus sign."""
    if level is None:
        return NOTHING
    return f"{level:.1f} dBFS".replace("-", "\N{MINUS SIGN}")


def count(number: int | None) -> str:
    """Return a whole number with thin groups of three."""
    if number is None:
        return NOTHING
    return f"{number:,}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def size(number: float) -> str:
    """Return a number of bytes in the unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def moment(at: datetime | None) -> str:
    """Return a time in the pages' time zone, to the second."""
    if at is None:
        return NOTHING
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S")


def minute(at: datetime | None) -> str:
    """Return a time in the pages' time zone, to the minute: for long lists."""
    if at is None:
        return NOTHING
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M")


def time_of_day(at: datetime | None) -> str:
    """Return a time of day in the pages' time zone, to the second."""
    return NOTHING if at is None else f"{timezone.localtime(at):%H:%M:%S}"


def moment_ms(at: datetime | None) -> str:
    """Return a time of day in the pages' time zone, to the millisecond."""
    if at is None:
        return NOTHING
    local = timezone.localtime(at)
    return f"{local:%H:%M:%S}.{local.microsecond // 1000:03}"


def utc(at: datetime) -> str:
    """Return a time in UTC to the millisecond, as it is told beside a local one."""
    there = at.astimezone(UTC)
    return f"{there:%Y-%m-%d %H:%M:%S}.{there.microsecond // 1000:03} UTC"
