"""A house of our own, empty and migrated, for parts that need Django and a database.

python -m benchmarks.scratch benchmarks.finishing --profile
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import cores
from benchmarks.servers.house import (
    DATABASE,
    ROOT,
    ingest_environment,
    inherited,
    migrated_database,
)
from benchmarks.table import listed
from demo.redis import redis_server


@contextmanager
def scratch_house() -> Iterator[dict[str, str]]:
    """Yield an environment with a migrated database and a Redis of its own."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        (folder / DATABASE).write_bytes(migrated_database())
        with redis_server(folder) as url:
            yield inherited() | ingest_environment(folder) | {"REDIS_URL": url}


def figures_of(
    module: str, environment: dict[str, str], core: set[int], *options: str
) -> dict[str, Any]:
    """Run a module in that house, on that core; return the JSON it prints last."""
    process = subprocess.Popen(  # noqa: S603 our own program
        [sys.executable, "-m", module, *options],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        if core:
            os.sched_setaffinity(process.pid, core)
        said, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module} ended with {process.returncode}")
    return dict(json.loads(said.splitlines()[-1]))


def main() -> int:
    """Run the module that is named, with its options, in such a house."""
    with scratch_house() as house:
        figures = figures_of(sys.argv[1], house, cores()[0], *sys.argv[2:])
    sys.stdout.write(listed(sys.argv[1], figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
