"""Real processes that are told to end; see `tests.streaming.conftest`."""

from tests.streaming.conftest import build as build
from tests.streaming.conftest import client as client
from tests.streaming.conftest import migrated as migrated
