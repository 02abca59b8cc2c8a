"""Every process of an installation refuses wrong settings, and says which."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENTRY_POINTS = {
    "web": ["-m", "daphne", "-v", "0", "--port", "0", "acsstream.asgi:application"],
    "ingest": [str(ROOT / "manage.py"), "ingest", "--port", "0"],
    "worker": ["-m", "celery", "-A", "acsstream", "worker", "--pool", "solo"],
    "beat": ["-m", "celery", "-A", "acsstream", "beat", "--schedule", "schedule"],
}


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_refuses_to_start_with_wrong_settings(name: str, tmp_path: Path) -> None:
    environment = {
        key: value for key, value in os.environ.items() if "ACSSTREAM" not in key
    } | {
        "DJANGO_SETTINGS_MODULE": "acsstream.settings",
        "PYTHONPATH": str(ROOT),
        "ACSSTREAM_DATA_DIR": str(tmp_path),
        "ACSSTREAM_ACS_ACCESS_KEY": "this is not base64!",
        "REDIS_URL": "redis://127.0.0.1:9/0",
    }

    done = subprocess.run(
        [sys.executable, *ENTRY_POINTS[name]],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "ACSSTREAM_ACS_ACCESS_KEY" in done.stdout + done.stderr
    assert "this is not base64" not in done.stdout + done.stderr


def test_a_worker_knows_every_task_that_is_sent(tmp_path: Path) -> None:
    script = (
        "from acsstream.celery import app\n"
        "app.loader.import_default_modules()\n"
        "sent = {entry['task'] for entry in app.conf.beat_schedule.values()}\n"
        "sent |= {'calls.finish_call', 'calls.send_command', 'calls.roll_journals'}\n"
        "sent |= {'calls.sweep_node'}\n"
        "print(sorted(sent - app.tasks.keys()), len(sent))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"ACSSTREAM_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    missing, number = done.stdout.rsplit(maxsplit=1)
    assert missing == "[]"
    assert int(number) > 3


def test_benchmarks_explain_themselves() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"],
        cwd=ROOT,
        env={k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0
    assert "finishing" in done.stdout
