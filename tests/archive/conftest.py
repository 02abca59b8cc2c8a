"""Who looks at the archive, and recordings that are really there."""

from tests.console.conftest import (  # noqa: F401 fixtures
    auditor,
    operator,
    recording,
    root,
    speech,
    stranger,
)
