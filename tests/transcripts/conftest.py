"""Who looks at transcripts."""

from tests.console.conftest import (  # noqa: F401 fixtures
    auditor,
    operator,
    root,
    stranger,
)
