"""The README tells the truth: its settings, its targets, its commands."""

import json
import re
import subprocess
from pathlib import Path

from django.core.management import get_commands

from calls.words import TABLE
from scripts import bench_table, codes_page
from scripts.settings_table import declared, table, written

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)


def test_the_settings_table_is_what_the_settings_read() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    # Not so? `make fix` writes it.
    assert written(readme, table(declared())) == readme


def test_the_page_of_codes_is_what_the_console_says() -> None:
    # Not so? `make fix` writes it.
    assert codes_page.PAGE.read_text(encoding="utf-8") == codes_page.page(TABLE)


def test_the_costs_are_those_that_were_measured() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    measured = json.loads(bench_table.LATEST.read_text(encoding="utf-8"))

    # Not so? `make bench` writes it, and `python -m scripts.bench_table --write`.
    rows = bench_table.table(measured)
    assert written(readme, rows, bench_table.MARKERS) == readme


def test_every_make_target_that_is_named_exists() -> None:
    shown = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    targets = set(re.findall(r"^  make ([a-z-]+)", shown, flags=re.MULTILINE))

    named = set(re.findall(r"(?:`|^    |\$ )make ([a-z][a-z-]*)", TEXT, re.MULTILINE))

    assert named
    assert named <= targets


def test_every_management_command_that_is_named_exists() -> None:
    named = set(re.findall(r"manage\.py ([a-z][a-z_]*)", TEXT))

    assert named <= set(get_commands())


def test_every_file_that_is_linked_exists() -> None:
    for page in PAGES:
        links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
        missing = [link for link in links if not (page.parent / link).exists()]
        assert not missing, page
