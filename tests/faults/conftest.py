"""Ingest processes to be mistreated; see `tests.streaming.conftest`."""

from tests.streaming.conftest import build as build
from tests.streaming.conftest import migrated as migrated
