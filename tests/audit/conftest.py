"""The console's browsers and recordings, for tests of what is noted of them."""

from tests.console.conftest import (
    auditor,
    operator,
    recording,
    root,
    speech,
    stranger,
)

__all__ = ["auditor", "operator", "recording", "root", "speech", "stranger"]
