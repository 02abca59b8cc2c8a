"""Who looks at the library, and a Redis that is really there."""

from typing import Any

import pytest

from calls.models import Call
from tests.console.conftest import auditor, operator, root, stranger
from tests.factories import CallFactory, ProfileFactory

__all__ = ["auditor", "operator", "root", "stranger"]


@pytest.fixture
def real_redis(redis_url: str, settings: Any) -> str:
    """Return the address of the Redis over which ingest is told."""
    settings.REDIS_URL = redis_url
    return redis_url


@pytest.fixture
def call(db: None) -> Call:
    """A call that is streamed both ways."""
    profile = ProfileFactory.create(bidirectional=True)
    made: Call = CallFactory.create(live=True, profile=profile)
    return made
