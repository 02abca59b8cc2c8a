"""Making a backup while calls run.

The order is what makes it whole. Audio moves one way: from a journal into a recording,
then a row names the recording, then the journal goes. And when a socket comes to a call
that was finished, other recordings take the place of those it had, which go. So
journals and recordings are copied before the database and again after it: whatever the
rows say of a call's audio, it is there as a journal, as a recording, or as both. At
last the rows are asked what they name; what is not there even so is told.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from django.utils.crypto import salted_hmac

from calls.audit.log import command_note
from calls.backup import database
from calls.backup.folder import (
    JOURNALS,
    RECORDINGS,
    SECRET_KEY,
    VERSION,
    BackupError,
    BackupFolder,
    Manifest,
)
from calls.journals.format import SUFFIX
from calls.journals.rolling import FOLDER
from calls.models import AuditAction, Connection, Prompt, Recording
from calls.software import SOFTWARE
from calls.storage import recording_open, recording_size, recordings_list

Say = Callable[[str], None]


def backup_make(
    root: Path, *, earlier: Path | None, has_recordings: bool, say: Say
) -> Manifest:
    """Write a backup into `root`, a folder that is empty or not there yet.

    A file of recordings never changes: those that the backup `earlier` has are linked
    to its copies. That one is made is on the audit log before anything is copied, and
    so in the backup itself. Raises `BackupError`; what was written until then has no
    manifest.
    """
    _make_room(root)
    command_note(
        AuditAction.RECORDINGS_EXPORTED,
        "backup",
        details={"folder": str(root), "with_recordings": has_recordings},
    )
    folder = BackupFolder(root, earlier)
    _journals_copy(folder)
    if has_recordings:
        # Copies of journals that run are asked for once: those that go are not missed.
        recorded = (name for name in _listed() if not name.startswith(f"{FOLDER}/"))
        _files_copy(folder, recorded)
        _files_copy(folder, _named())
    migrations = _migrations()
    folder.add_written(database.dump(root))
    say(f"Database: {connection.vendor}.")
    _journals_copy(folder)
    say(f"Journals: {folder.count(JOURNALS)}.")
    absent: list[str] = []
    if has_recordings:
        absent = _files_copy(folder, _named())
        _files_copy(folder, _listed())
        found = folder.count(RECORDINGS)
        say(f"Recordings and prompts: {found} files, {folder.linked} of them linked.")
    _key_copy(folder, say)
    manifest = Manifest(
        version=VERSION,
        made_at=timezone.now().isoformat(timespec="seconds"),
        software=SOFTWARE,
        vendor=connection.vendor,
        migrations=migrations,
        key=key_word(str(settings.SECRET_KEY)),
        has_recordings=has_recordings,
        files=folder.files,
        absent=absent,
    )
    folder.seal(manifest)
    return manifest


def key_word(key: str) -> str:
    """Return a word that is another for another key, and gives neither away."""
    return salted_hmac("calls.backup", "key", key, algorithm="sha256").hexdigest()[:16]


def _make_room(root: Path) -> None:
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any(root.iterdir()):
        raise BackupError(f"{root} is not empty: name a folder of its own")
    # Everything that people said is in here.
    root.chmod(0o700)


def _migrations() -> dict[str, str]:
    applied = sorted(MigrationRecorder(connection).applied_migrations())
    return dict(applied)


def _journals_copy(folder: BackupFolder) -> None:
    """Copy the journals that are there and longer than the copies of them."""
    for source in sorted(Path(settings.JOURNAL_DIR).glob(f"*{SUFFIX}")):
        path = f"{JOURNALS}/{source.name}"
        # One that is finished goes at any moment: then its recording is there.
        with suppress(FileNotFoundError):
            if folder.size_of(path) != source.stat().st_size:
                with source.open("rb") as file:
                    folder.add(path, file)


def _listed() -> Iterator[str]:
    """Yield everything in the storage of recordings."""
    try:
        for names in recordings_list():
            yield from names
    except NotImplementedError:
        words = (
            "this storage of recordings cannot list what it has: back it up by its own"
            " means, and here use --without-recordings"
        )
        raise BackupError(words) from None


def _named() -> Iterator[str]:
    """Yield every file that a row names."""
    rows = (
        Recording.objects.values_list("audio", "peaks", "manifest", "leftovers"),
        Connection.objects.exclude(leftovers="").values_list("leftovers"),
        Prompt.objects.values_list("audio_16k", "audio_24k"),
    )
    for table in rows:
        for names in table.order_by().iterator():
            yield from filter(None, names)


def _files_copy(folder: BackupFolder, names: Iterable[str]) -> list[str]:
    """Copy the stored files that the backup lacks; return those that are not there."""
    absent = []
    for name in names:
        path = f"{RECORDINGS}/{name}"
        if folder.size_of(path) is not None:
            continue
        try:
            if not folder.link(path, recording_size(name)):
                with recording_open(name) as file:
                    folder.add(path, file)
        except FileNotFoundError:
            # One that is being written, or was replaced: listed, it is no loss.
            absent.append(name)
    return absent


def _key_copy(folder: BackupFolder, say: Say) -> None:
    """Copy the generated key. One from the environment is not ours to write down."""
    path = settings.DATA_DIR / "secret_key"
    if path.is_file() and path.read_text().strip() == str(settings.SECRET_KEY):
        with path.open("rb") as file:
            folder.add(SECRET_KEY, file)
        (folder.root / SECRET_KEY).chmod(0o600)
        say("Secret key: the generated one is in the backup.")
    else:
        say(
            "Secret key: comes from the environment. Keep it yourself, apart from this."
        )
