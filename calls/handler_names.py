"""What a profile may name as its handler: by word what is shipped, by path the rest.

Whether a path leads to a handler only ingest can say, which imports it: it tells by an
alarm, in the call.
"""

import re
from typing import Any, Final

# What a journal calls a note on what a handler did.
HANDLER_EVENT: Final = "handler"
SHIPPED: Final = ("echo", "prompt", "realtime")
_PATH: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")


def handler_faults(
    name: str, options: Any, *, is_bidirectional: bool
) -> dict[str, str]:
    """Return what is wrong with a profile's handler, by field."""
    faults = {}
    if name and name not in SHIPPED and not _PATH.fullmatch(name):
        faults["handler"] = (
            f"Give {', '.join(SHIPPED)} or the dotted path of a class, such as"
            " our.handlers.Greeter."
        )
    elif name in SHIPPED and not is_bidirectional:
        faults["handler"] = "It speaks: tick “bidirectional”, or nobody hears it."
    if not isinstance(options, dict):
        faults["handler_options"] = 'Give a JSON object, such as {"name": "value"}.'
    return faults
