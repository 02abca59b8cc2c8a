"""Ingest processes and an emulator, as their own tests have them."""

from tests.emulator.conftest import app, make_bench, speech
from tests.streaming.conftest import build, client, migrated

__all__ = ["app", "build", "client", "make_bench", "migrated", "speech"]
