"""The database into one file and back, by the database's own means.

SQLite by its online backup, PostgreSQL by `pg_dump` and `pg_restore`. Both write what
was so at one moment, while others write on.
"""

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from django.db import connection
from psycopg.conninfo import make_conninfo

from calls.backup.folder import BackupError

FILES = {"sqlite": "database.sqlite3", "postgresql": "database.pgdump"}


def dump(folder: Path) -> str:
    """Write the database into `folder`; return the file's name."""
    name = FILES[connection.vendor]
    if connection.vendor == "sqlite":
        source = _sqlite_path()
        with (
            closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True)) as rows,
            closing(sqlite3.connect(folder / name)) as copy,
        ):
            rows.backup(copy)
    else:
        _run("pg_dump", "--format=custom", f"--file={folder / name}")
    return name


def load(folder: Path, vendor: str) -> None:
    """Fill the empty database from the file in `folder`."""
    path = folder / FILES[vendor]
    connection.close()
    if vendor == "sqlite":
        with (
            closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as copy,
            closing(sqlite3.connect(_sqlite_path())) as rows,
        ):
            copy.backup(rows)
    else:
        _run(
            *("pg_restore", "--no-owner", "--no-privileges", "--exit-on-error"),
            *("--single-transaction", str(path)),
        )


def refuse_other(vendor: str) -> None:
    """Raise `BackupError` unless the database is of that vendor, and has no tables."""
    if connection.vendor != vendor:
        words = f"the backup is of {vendor}, DATABASE_URL names {connection.vendor}"
        raise BackupError(words)
    if tables := connection.introspection.table_names():
        words = f"the database is not empty: it has {len(tables)} tables"
        raise BackupError(words)
    if vendor == "postgresql":
        _program("pg_restore")


def _sqlite_path() -> Path:
    return Path(str(connection.settings_dict["NAME"])).resolve()


def _run(program: str, *arguments: str) -> None:
    found: dict[str, Any] = dict(connection.settings_dict)
    conninfo = make_conninfo(
        dbname=found["NAME"],
        user=found["USER"] or None,
        host=found["HOST"] or None,
        port=found["PORT"] or None,
        **{key: value for key, value in found["OPTIONS"].items() if value is not None},
    )
    # Not on the command line, where every user of the machine could read it.
    password = {"PGPASSWORD": found["PASSWORD"]} if found["PASSWORD"] else {}
    ended = subprocess.run(  # noqa: S603 a program on PATH with words of ours
        [_program(program), f"--dbname={conninfo}", *arguments],
        env=os.environ | password,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        raise BackupError(f"{program} failed: {ended.stderr.strip()}")


def _program(name: str) -> str:
    if found := shutil.which(name):
        return found
    words = f"{name} is not on PATH. On Debian: apt-get install postgresql-client"
    raise BackupError(words)
