"""THREAT_MODEL.md names modules and tests that exist."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

from acsstream.settings import env

ROOT = Path(__file__).resolve().parents[2]
NAMED = re.compile(r"`([^`\n]+)`")
# Besides the threat model, guides that an operator follows to the letter.
GUIDES = ("THREAT_MODEL.md", "docs/deployment.md", "docs/backup.md")


@pytest.mark.parametrize("guide", GUIDES)
def test_every_file_command_and_setting_it_names_exists(guide: str) -> None:
    text = (ROOT / guide).read_text(encoding="utf-8")
    files = [
        name
        for name in NAMED.findall(text)
        if re.fullmatch(
            r"(acsstream|benchmarks|calls|deploy|streaming|tests)/\S+", name
        )
    ]
    links = re.findall(r"\]\(([^)#:]+)\)", text)
    here = (ROOT / guide).parent
    commands = re.findall(r"manage\.py ([a-z_]+)", text)
    settings = re.findall(r"\b(ACSSTREAM_[A-Z_]*[A-Z])(?:_FILE)?\b(?!_)", text)

    assert [name for name in files if not (ROOT / name).exists()] == []
    assert [link for link in links if not (here / link).exists()] == []
    assert set(commands) <= set(get_commands())
    known = {name.removesuffix("_FILE") for name in env.variables}
    assert {name.removesuffix("_FILE") for name in settings} <= known
    assert commands
