"""A migrated database to copy: to migrate one takes six seconds of processor time."""

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

from django.core.management import call_command
from django.db import connection

ROOT = Path(__file__).parents[1]
# Of one run of pytest: its processes share it, the next run makes its own.
FOLDER = "TESTS_SEED_FOLDER"


def migrated_copy(database: Path) -> None:
    """Put a SQLite database with our tables and no rows where there is none yet."""
    shutil.copy(_migrated(), database)


def migrate() -> None:
    """Do `manage.py migrate` in a process of its own installation, by copying.

    Another database than SQLite is migrated; a file that is there has been.
    """
    if connection.vendor == "sqlite" and FOLDER in os.environ:
        name = Path(str(connection.settings_dict["NAME"]))
        if not name.exists():
            migrated_copy(name)
    else:
        call_command("migrate", verbosity=0)


def _migrated() -> Path:
    folder = Path(os.environ[FOLDER])
    made = folder / "migrated.sqlite3"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            _make(made)
    return made


def _make(made: Path) -> None:
    with tempfile.TemporaryDirectory(dir=made.parent) as data:
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("ACSSTREAM_")
        }
        draft = Path(data) / "draft.sqlite3"
        subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=ROOT,
            env=outside
            | {
                "DJANGO_SETTINGS_MODULE": "acsstream.settings",
                "ACSSTREAM_DATA_DIR": data,
                "DATABASE_URL": f"sqlite:///{draft}",
                "DEBUG": "1",
            },
            check=True,
        )
        with closing(sqlite3.connect(draft)) as database:
            # What its log still holds would not be copied.
            database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        draft.rename(made)
