"""Locks of this node: one process at a time works on the journals of a call."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

LOCK = ".lock"


class TakenError(Exception):
    """Another process of this node has the call's lock."""


def lock_path(folder: Path, call_id: UUID) -> Path:
    """Return the lock file of a call whose journals are in `folder`."""
    return folder / f"{call_id}{LOCK}"


@contextmanager
def alone(folder: Path, call_id: UUID, *, waits: bool = True) -> Iterator[None]:
    """Hold the call's lock; without `waits`, raise `TakenError` if somebody has it."""
    with alone_at(lock_path(folder, call_id), waits=waits):
        yield


@contextmanager
def alone_at(path: Path, *, waits: bool) -> Iterator[None]:
    """Hold the lock file `path`, which is there for so long only."""
    with _locked(path, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB)):
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


@contextmanager
def _locked(path: Path, how: int) -> Iterator[None]:
    while True:
        with path.open("w") as file:
            try:
                fcntl.flock(file, how)
            except BlockingIOError as exc:
                raise TakenError from exc
            # Whoever held it before removed it: then this lock holds off nobody.
            if _is_same(file.fileno(), path):
                yield
                return


def _is_same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def is_locked(folder: Path, call_id: UUID) -> bool:
    """Say whether somebody works on the call at this moment."""
    try:
        with lock_path(folder, call_id).open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
