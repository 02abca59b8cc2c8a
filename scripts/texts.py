"""Gather the texts of the console for translators, and compile what they wrote.

    python -m scripts.texts --language de    makes or updates locale/de/LC_MESSAGES/*.po
    python -m scripts.texts --compile        makes the .mo files that Django reads

Needs GNU gettext (xgettext, msgmerge, msgfmt). docs/translating.md tells the rest.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path

import django
from django.core.management import call_command
from django.core.management.commands import makemessages

ROOT = Path(__file__).resolve().parent.parent
TOOLS = ("xgettext", "msgmerge", "msgfmt")
# What is not ours to translate, or is nothing that people read.
SKIPPED = ("node_modules", "static_root", ".venv", "tests", "benchmarks", "emulator")


def main() -> int:
    """Write the .po files of the languages asked for, or compile all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--language", action="append", default=[], metavar="CODE")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args()
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        sys.stderr.write(
            f"No {', '.join(missing)} here: texts cannot be gathered without GNU"
            " gettext. On Debian: apt-get install gettext\n"
        )
        return 1
    if not options.language and not options.compile:
        parser.error("name a --language, or say --compile")
    os.chdir(ROOT)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")
    django.setup()
    if options.language:
        (ROOT / "locale").mkdir(exist_ok=True)
        gather(options.language)
    if options.compile:
        call_command("compilemessages", ignore_patterns=list(SKIPPED))
    return 0


def gather(languages: list[str]) -> None:
    """Write what templates and Python say, then what scripts say."""
    for domain in ("django", "djangojs"):
        command = makemessages.Command()
        # How our scripts count: `several` of text.js.
        command.xgettext_options = [*command.xgettext_options, "--keyword=several:1,2"]
        call_command(
            command,
            locale=languages,
            domain=domain,
            ignore_patterns=list(SKIPPED),
            no_location=False,
            add_location="file",
        )


if __name__ == "__main__":
    sys.exit(main())
