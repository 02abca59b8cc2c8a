"""A console of one's own: a real Daphne with a database that a script has filled."""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from demo.ports import free_port
from tests.console.test_browser import ROOT, run, wait_for


@contextlib.contextmanager
def filled_console(folder: Path, fill: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield where the console answers, and the facts that `fill` printed as JSON."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "acsstream.settings",
        "ACSSTREAM_DATA_DIR": str(folder),
        "DATABASE_URL": f"sqlite:///{folder / 'console.sqlite3'}",
        # Nothing listens there: what is archived needs no live feed.
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "DEBUG": "1",
        "PYTHONPATH": str(ROOT),
    }
    facts = json.loads(run(fill, environment).splitlines()[-1])
    port = free_port()
    with (folder / "daphne.log").open("wb") as log:
        daphne = subprocess.Popen(
            [
                *(sys.executable, "-m", "daphne", "-v", "0", "-p", str(port)),
                "acsstream.asgi:application",
            ],
            env=environment,
            cwd=ROOT,
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(f"http://127.0.0.1:{port}/healthz")
            yield f"http://127.0.0.1:{port}", facts
        finally:
            daphne.terminate()
            daphne.wait(20)
