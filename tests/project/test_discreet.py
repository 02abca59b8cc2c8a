"""What is shown of failures has no secret and no number in it, DEBUG or not."""

import subprocess
import sys
from typing import Any

import pytest
from django.test import RequestFactory
from django.utils.module_loading import import_string

from acsstream.settings import BASE_DIR

PLANTED = {
    "password": "hunter2",
    "number": "12065550100",
    "secret": "c4llS3cret",
    "key": "YWNjZXNzLWtleQ==",
    "token": "eyJhbGciOiJub25lIn0.cGxhbnRlZA",
    "words": "my card number is",
}


@pytest.mark.parametrize("debug", [True, False])
@pytest.mark.parametrize("form", ["get_traceback_html", "get_traceback_text"])
def test_the_debug_page_shows_nothing_secret(
    settings: Any, debug: bool, form: str
) -> None:
    settings.DEBUG = debug
    settings.REDIS_URL = settings.CELERY_BROKER_URL = (
        f"redis://:{PLANTED['password']}@h"
    )
    settings.CHANNEL_LAYERS = {"default": {"CONFIG": {"hosts": [settings.REDIS_URL]}}}
    settings.STORAGE_OPTIONS = {"connection_string": PLANTED["key"]}
    settings.ACS_ACCESS_KEY = PLANTED["key"]
    settings.CALLER_IDS = [f"+{PLANTED['number']}"]
    request = RequestFactory().post(
        f"/webhooks/calls/{PLANTED['secret']}?secret={PLANTED['secret']}",
        {"target": f"+{PLANTED['number']}"},
        headers={"Authorization": f"Bearer {PLANTED['token']}"},
    )

    try:
        fail()
    except ValueError:
        made = import_string(settings.DEFAULT_EXCEPTION_REPORTER)
        reporter = made(request, *sys.exc_info())
    page = getattr(reporter, form)()

    assert "ValueError" in page
    assert [name for name, text in PLANTED.items() if text in page] == []


def test_celery_and_checks_print_no_password() -> None:
    for command in (
        ["-m", "celery", "-A", "acsstream", "report"],
        ["manage.py", "check", "--deploy"],
    ):
        done = subprocess.run(
            [sys.executable, *command],
            cwd=BASE_DIR,
            env={
                "PATH": "/usr/bin",
                "SECRET_KEY": PLANTED["secret"] * 6,
                "REDIS_URL": f"redis://:{PLANTED['password']}@127.0.0.1:9/0",
                "ACSSTREAM_ACS_ACCESS_KEY": PLANTED["key"],
                "DATABASE_URL": f"postgresql://acs:{PLANTED['password']}@127.0.0.1:9/a",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert "acsstream" in said
        assert [name for name, text in PLANTED.items() if text in said] == []


# Far from what is planted: the page shows the lines around.


def fail() -> None:
    words = PLANTED["words"]
    raise ValueError(
        f"cannot take {PLANTED['token']} of +{PLANTED['number']}", words[:0]
    )
