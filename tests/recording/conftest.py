"""Every test here has journals and recordings of its own."""

from pathlib import Path

import pytest
from pytest_django import Settings


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, settings: Settings) -> Path:
    """Give the test a journal folder and a recordings folder."""
    settings.JOURNAL_DIR = tmp_path / "journals"
    settings.RECORDINGS_DIR = tmp_path / "recordings"
    settings.STORAGES = settings.STORAGES | {
        "recordings": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(settings.RECORDINGS_DIR), "base_url": None},
        }
    }
    # Nothing listens there: tasks that would be queued are not.
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:9/0"
    return tmp_path
