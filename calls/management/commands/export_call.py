"""`manage.py export_call`: one call as files, without the console."""

from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db.models import Q
from django.utils import timezone

from calls.audit.log import command_note
from calls.downloads.everything import call_entries
from calls.downloads.sidecar import sidecar_of
from calls.history.export import timeline_of
from calls.models import AuditAction, Call, RecordingState
from calls.selectors import player_origin_us
from calls.transcripts.files import files_of
from calls.transcripts.reading import transcript_of


class Command(BaseCommand):
    """Writes a call's files. Exit code 0 done, 1 no such call or folder taken."""

    help = (
        "Write one call as files into a new folder in DIR: its recordings with their"
        " manifests, the side-car, the timeline, and its transcript as WebVTT, SubRip,"
        " text and JSON. The same as the console's “Everything (zip)”. Exit code 0:"
        " done; 1: no such call, or its folder is there already; 2: wrong usage."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "call", metavar="CALL_ID", help="our id, or ACS's call connection id"
        )
        parser.add_argument("folder", metavar="DIR", type=Path)
        parser.add_argument(
            "--without-transcript",
            action="store_true",
            help="leave out what was said in words",
        )
        parser.add_argument(
            "--without-digits",
            action="store_true",
            help="say that keys were pressed, and not which",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        call = _call(options["call"])
        verified = call.recordings.filter(state=RecordingState.VERIFIED)
        command_note(
            AuditAction.RECORDING_DOWNLOADED,
            "export_call",
            call=call,
            obj=call,
            details={"format": "files"},
        )
        recordings = list(verified.select_related("call", "track__participant"))
        now = timezone.now()
        sidecar = sidecar_of(
            call,
            recordings,
            player_origin_us(call, recordings),
            now=now,
            shows_digits=not options["without_digits"],
        )
        texts = {}
        if not options["without_transcript"]:
            texts = files_of(transcript_of(call))
        entries = call_entries(
            call, recordings, sidecar, timeline_of(call, now=now), texts
        )
        folder: Path = options["folder"]
        made: Path | None = None
        for entry in entries:
            path = folder / entry.name
            if made is None:
                made = _folder(path.parent)
            with path.open("wb") as file:
                for block in entry.blocks:
                    file.write(block)
            self.stdout.write(str(path))


def _folder(path: Path) -> Path:
    try:
        path.mkdir(parents=True)
    except FileExistsError:
        raise CommandError(f"{path} is there already", returncode=1) from None
    except OSError as exc:
        raise CommandError(f"{path}: {exc.strerror}", returncode=1) from exc
    return path


def _call(text: str) -> Call:
    wanted = Q(connection_id=text)
    # ACS's ids may look like ours, and need not.
    with suppress(ValueError):
        wanted |= Q(pk=UUID(text))
    call = Call.objects.filter(wanted).first()
    if call is None:
        raise CommandError(f"no such call: {text}", returncode=1)
    return call
