"""ACS Call Automation behind a small interface: the only package that imports its SDK.

Every method is one REST request with a time limit of seconds and no retry of its own:
how often and when an order is repeated is decided in `calls.control`, where it is
written down. `AcsRefused` is the only exception.
"""

from calls.acs.client import Acs, acs
from calls.acs.refusals import AcsRefused
from calls.acs.shapes import (
    CallProperties,
    Locator,
    MediaOptions,
    OrderMark,
    ParticipantState,
    TranscriptionOptions,
)

__all__ = [
    "Acs",
    "AcsRefused",
    "CallProperties",
    "Locator",
    "MediaOptions",
    "OrderMark",
    "ParticipantState",
    "TranscriptionOptions",
    "acs",
]
