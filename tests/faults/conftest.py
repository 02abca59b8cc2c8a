"""Ingest processes to be mistreated; see `tests.streaming.conftest`."""

import pytest

pytest.register_assert_rewrite("tests.faults.archive", "tests.faults.journals")

from tests.streaming.conftest import build as build  # noqa: E402 after the rewrite
from tests.streaming.conftest import client as client  # noqa: E402
from tests.streaming.conftest import migrated as migrated  # noqa: E402
