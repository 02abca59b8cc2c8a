"""Add a prompt to the library from a file: for installations that are set up by script.

    manage.py prompt_add "Recording notice" notice.wav [--note TEXT]

A prompt of that name with that very audio stays as it is. Exit codes: 0 it is there, 1
the file cannot be a prompt, the storage does not take it, or the name is another
prompt's, 2 wrong usage.
"""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from calls.audit.log import command_note
from calls.models import AuditAction, Prompt
from calls.prompts.preparing import PromptRefused, prompt_prepare
from calls.prompts.storing import PromptStorageError, prompt_add


class Command(BaseCommand):
    help = "Add a prompt that can be played into calls."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="what it is called in the library")
        parser.add_argument("file", type=Path, help="WAV, FLAC, MP3 or Ogg")
        parser.add_argument("--note", default="", help="what it is for")

    def handle(self, *_: Any, **options: Any) -> None:
        path: Path = options["file"]
        try:
            with path.open("rb") as file:
                prepared = prompt_prepare(iter(lambda: file.read(1 << 16), b""))
        except OSError as exc:
            raise CommandError(f"{path} cannot be read: {exc.strerror}") from exc
        except PromptRefused as refused:
            raise CommandError(f"{path}: {refused}") from refused
        name = options["name"]
        known = Prompt.objects.filter(name=name).first()
        if known is None:
            prompt = Prompt(name=name, note=options["note"])
            try:
                with transaction.atomic():
                    known = prompt_add(prompt, prepared, source_name=path.name)
                    command_note(
                        AuditAction.PROMPT_CHANGED,
                        "prompt_add",
                        obj=known,
                        details={"how": "added"},
                    )
            except PromptStorageError as exc:
                raise CommandError(str(exc)) from exc
        elif known.sha256_24k != prepared.figures.sha256[24_000]:
            raise CommandError(f"“{name}” is another prompt. Choose another name.")
        self.stdout.write(f"{known.pk} {known.name}")
