"""The project's settings as tests run them: embedded parts, temporary folders."""

import os
import tempfile
from pathlib import Path

_FOLDER = Path(tempfile.mkdtemp(prefix="acsstream-tests-"))
os.environ.setdefault("ACSSTREAM_DATA_DIR", str(_FOLDER))
os.environ.setdefault("SECRET_KEY", "tests only: " + "k" * 50)
os.environ.setdefault("ACSSTREAM_ACS_ENDPOINT", "http://127.0.0.1:9")
os.environ.setdefault("ACSSTREAM_ACS_ACCESS_KEY", "dGVzdHM=")
os.environ.setdefault(
    "ACSSTREAM_ACS_RESOURCE_ID", "11111111-2222-3333-4444-555555555555"
)
os.environ.setdefault("ACSSTREAM_PUBLIC_URL", "http://127.0.0.1:9")
os.environ.setdefault("ACSSTREAM_MEDIA_URL", "ws://127.0.0.1:9")

from acsstream.settings import *  # noqa: E402,F403 the environment above comes first

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
CHANNEL_LAYERS = {"default": {"BACKEND": "channels.layers.InMemoryChannelLayer"}}
STORAGES["staticfiles"] = {  # type: ignore[name-defined] # noqa: F405 from settings
    "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
}
# WhiteNoise warns of a missing folder, and warnings are errors here.
STATIC_ROOT = _FOLDER / "static_root"
STATIC_ROOT.mkdir(exist_ok=True)
