"""Everything of one call as files: audio, side-car, timeline, manifests."""

import json
from collections.abc import Iterator, Mapping, Sequence
from uuid import UUID

from calls.downloads.naming import call_name, file_names
from calls.downloads.sidecar import SideCarJson
from calls.export import ZipEntry
from calls.models import Call, Recording
from calls.storage import recording_exists, recording_open

BLOCK_BYTES = 64 * 1024


def call_entries(
    call: Call,
    recordings: Sequence[Recording],
    sidecar: SideCarJson,
    timeline: Mapping[str, object],
    texts: Mapping[str, str],
) -> Iterator[ZipEntry]:
    """Return the files of a call, in a folder of its own. `texts` by file name.

    A file that has gone from storage is left out: the side-car still tells its hashes.
    Names are made now, in the reader's zone: later, while it is sent, that is gone.
    """
    folder = call_name(call)
    documents = {
        f"{folder}_{name}.json": json.dumps(document, indent=1)
        for name, document in (("side-car", sidecar), ("timeline", timeline))
    }
    return _entries(
        call, recordings, folder, file_names(recordings), {**documents, **texts}
    )


def _entries(
    call: Call,
    recordings: Sequence[Recording],
    folder: str,
    names: Mapping[UUID, str],
    texts: Mapping[str, str],
) -> Iterator[ZipEntry]:
    for name, text in texts.items():
        content = text.encode()
        yield ZipEntry(
            f"{folder}/{name}", [content], call.rang_at, len(content), is_text=True
        )
    for recording in recordings:
        at = recording.verified_at or call.rang_at
        stem = f"{folder}/{names[recording.pk]}"
        if recording_exists(recording.audio):
            blocks = stored_blocks(recording.audio)
            yield ZipEntry(f"{stem}.flac", blocks, at, recording.audio_bytes)
        if recording.manifest and recording_exists(recording.manifest):
            blocks = stored_blocks(recording.manifest)
            yield ZipEntry(f"{stem}.manifest.json", blocks, at, is_text=True)


def stored_blocks(name: str) -> Iterator[bytes]:
    """Yield a stored file in blocks."""
    with recording_open(name) as file:
        while block := file.read(BLOCK_BYTES):
            yield block
