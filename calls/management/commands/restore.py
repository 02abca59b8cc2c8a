"""`manage.py restore`: a backup into an empty installation."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from calls.backup.folder import BackupError
from calls.backup.restoring import backup_restore

USAGE = 2


class Command(BaseCommand):
    """Writes into what is empty only. Exit code 2 if it could not."""

    help = (
        "Fill an empty installation from a backup: no tables, no journals, no"
        " recordings. Nothing of it may run. Every file of the backup is compared with"
        " its SHA-256 before anything is written. Exit code 0: everything is back;"
        " 2: it is not, and the message says why."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="what `manage.py backup` wrote")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = backup_restore(options["folder"], say=self.stdout.write)
        except (BackupError, OSError) as exc:
            raise CommandError(f"Not restored: {exc}.", returncode=USAGE) from exc
        self.stdout.write(
            f"Restored {len(manifest.files)} files of {manifest.made_at}. Next:"
            " manage.py migrate, manage.py recover, manage.py verify_archive."
        )
