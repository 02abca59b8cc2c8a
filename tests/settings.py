"""The project's settings as tests run them: embedded parts, temporary folders."""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

# Each pytest process has a data folder of its own; what it starts shares it.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "alone")
if os.environ.get("ACSSTREAM_TEST_WORKER") != _WORKER:
    os.environ["ACSSTREAM_TEST_WORKER"] = _WORKER
    os.environ["ACSSTREAM_DATA_DIR"] = tempfile.mkdtemp(prefix="acsstream-tests-")
    atexit.register(shutil.rmtree, os.environ["ACSSTREAM_DATA_DIR"], ignore_errors=True)
os.environ.setdefault("SECRET_KEY", "tests only: " + "k" * 50)
os.environ.setdefault("ACSSTREAM_ACS_ENDPOINT", "http://127.0.0.1:9")
os.environ.setdefault("ACSSTREAM_ACS_ACCESS_KEY", "dGVzdHM=")
os.environ.setdefault(
    "ACSSTREAM_ACS_RESOURCE_ID", "11111111-2222-3333-4444-555555555555"
)
os.environ.setdefault("ACSSTREAM_PUBLIC_URL", "http://127.0.0.1:9")
os.environ.setdefault("ACSSTREAM_MEDIA_URL", "ws://127.0.0.1:9")
# ACS would transcribe with it. The emulator wants one to be named, and nobody dials it.
os.environ.setdefault("ACSSTREAM_COGNITIVE_ENDPOINT", "https://cognitive.example.com")
os.environ.setdefault("ACSSTREAM_EVENTGRID_SECRET", "event grid's secret")
# All tests of a process are one source, and many of them fail on purpose.
os.environ.setdefault("ACSSTREAM_SOURCE_FAILURES", "0")
# Tests of the second factor ask for it themselves.
os.environ.setdefault("ACSSTREAM_TOTP_ROLES", "none")

from acsstream import settings as _settings  # noqa: E402 after the environment
from acsstream.settings import *  # noqa: E402,F403 after the environment

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
STORAGES = {
    **_settings.STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
# WhiteNoise warns of a missing folder, and warnings are errors here.
STATIC_ROOT = Path(_settings.DATA_DIR) / "static_root"
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
DATABASES = {"default": dict(_settings.DATABASES["default"])}
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, as in production. The in-memory database that Django's tests use by
    # default refuses a second thread at once ("table is locked"), whatever the timeout.
    DATABASES["default"]["TEST"] = {
        "NAME": str(Path(_settings.DATA_DIR) / "tests.sqlite3")
    }
