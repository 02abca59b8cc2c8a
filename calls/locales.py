"""Languages as ACS names them: `en-US`, `zh-Hans-CN`."""

import re

_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?-([A-Z]{2}|[0-9]{3})")


def is_locale(text: str) -> bool:
    """Say whether `text` is a language with its region (BCP 47, as ACS writes it)."""
    return _LOCALE.fullmatch(text) is not None
