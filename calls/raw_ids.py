"""Raw ids as people type them: a phone number, or ACS's own spelling."""

import re

LIMIT = 255
_PHONE = re.compile(r"\+[1-9][0-9]{3,14}")
_SPACING = re.compile(r"[\s().\-/]")
# The prefixes of ACS's raw ids: phone, ACS and Teams users, bots.
_RAW = re.compile(r"(4:\+[1-9][0-9]{3,14}|8:[a-z-]+:[\w.:+-]+|28:[\w.:+-]+)")


class NotAnIdError(ValueError):
    """A text that names nobody; the message says what would."""


def raw_id_read(text: str) -> str:
    """Return the raw id that `text` means. Raises `NotAnIdError`.

    `+1 (206) 555-0100` is a phone number; `4:+1…`, `8:acs:…`, `8:orgid:…`, `28:…` are
    taken as they are.
    """
    given = text.strip()
    number = _SPACING.sub("", given)
    if _PHONE.fullmatch(number):
        return f"4:{number}"
    if len(given) <= LIMIT and _RAW.fullmatch(given):
        return given
    raise NotAnIdError(
        "Give a phone number with its country code (+1206…), or a raw id such as"
        " 8:acs:… or 8:orgid:…."
    )
