"""`manage.py backup`: all of an installation into one folder."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from calls import formats
from calls.backup.folder import BackupError
from calls.backup.making import backup_make

ABSENT, USAGE = 1, 2
# So many names are enough to see what is wrong.
SHOWN = 5


class Command(BaseCommand):
    """Notes that it is made, then reads, and writes into its folder alone.

    Exit code 2 if it could not; 1 if it could, and the storage lacks files that rows
    name.
    """

    help = (
        "Write database, journals, recordings, prompts and the generated key into a"
        " folder, while calls run. Journals of this node only: run it on each, with"
        " --without-recordings on all but one. Exit code 0: the backup is whole; 1: it"
        " has all that there is, and rows name recordings that there are not; 2: it is"
        " not whole, and has no manifest."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path, help="a folder that is not there yet")
        parser.add_argument(
            "--link-to",
            type=Path,
            metavar="BACKUP",
            help="an earlier backup on the same disk: recordings that it has are linked"
            " to its copies instead of copied",
        )
        parser.add_argument(
            "--without-recordings",
            action="store_true",
            help="recordings and prompts stay where they are, in a storage that keeps"
            " copies of its own",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            manifest = backup_make(
                options["folder"],
                earlier=options["link_to"],
                has_recordings=not options["without_recordings"],
                say=self.stdout.write,
            )
        except (BackupError, OSError) as exc:
            raise CommandError(f"No backup: {exc}.", returncode=USAGE) from exc
        size = formats.size(sum(one.size for one in manifest.files))
        if manifest.absent:
            names = ", ".join(manifest.absent[:SHOWN])
            words = (
                f"{len(manifest.files)} files, {size}, are kept. Rows name"
                f" {len(manifest.absent)} that the storage of recordings lacks, such as"
                f" {names}. Replaced at this moment, or lost: make another, and"
                " manage.py verify_archive."
            )
            raise CommandError(words, returncode=ABSENT)
        self.stdout.write(f"Whole: {len(manifest.files)} files, {size}.")
