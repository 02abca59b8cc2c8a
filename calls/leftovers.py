"""What was received and has no place on a timeline, kept beside the recordings.

A late duplicate, a malformed frame, a tone, a frame of an unknown kind, a note on what
a handler did: each is one JSON object in a gzipped file of lines, readable without our
software. Members:
`connection`, `kind`, `participant` (the raw id, or null), `timestamp_us`, `arrival_us`
(since the socket opened), and `text`, or `base64` for PCM and for bytes that are not
UTF-8.
"""

import base64
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

from calls.journals.reading import Kind, Record
from calls.journals.replay import JournalCount
from calls.storage import recording_open, recording_save


class Leftovers:
    """Collects lines in a scratch file; `store` keeps them if there are any."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lines = 0
        self._file: gzip.GzipFile | None = None
        self._kept: set[str] = set()

    def keep(self, name: str) -> None:
        """Take over the lines of an earlier run, stored under `name`, once."""
        if not name or name in self._kept:
            return
        self._kept.add(name)
        with recording_open(name) as stored, gzip.open(stored) as lines:
            shutil.copyfileobj(lines, self._open())
        self.lines += 1

    def add(self, count: JournalCount, record: Record) -> None:
        """Add one record."""
        line: dict[str, Any] = {
            "connection": str(count.header.connection_id),
            "kind": Kind(record.kind).name,
            "participant": count.raw_id(record),
            "timestamp_us": record.timestamp_us,
            "arrival_us": record.arrival_us,
        }
        try:
            if record.kind == Kind.AUDIO:
                line["base64"] = base64.b64encode(record.pcm).decode("ascii")
            else:
                line["text"] = str(record.payload, "utf-8")
        except UnicodeDecodeError:
            line["base64"] = base64.b64encode(record.payload).decode("ascii")
        self._open().write(json.dumps(line).encode() + b"\n")
        self.lines += 1

    def store(self, folder: str) -> str:
        """Store the lines under `folder`; return their name, "" if there are none."""
        if self._file is None:
            return ""
        self._file.close()
        self._file = None
        name = f"{folder}/leftovers-{self.lines}.jsonl.gz"
        with self.path.open("rb") as content:
            return recording_save(name, content)

    def _open(self) -> gzip.GzipFile:
        file = self._file
        if file is None:
            # mtime 0: the same lines make the same file.
            file = self._file = gzip.GzipFile(self.path, "wb", mtime=0)
        return file
