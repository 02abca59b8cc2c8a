"""What pages say goes through translation: shown by a language of our own make."""

import json
import os
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.test import Client
from django.utils import translation
from django.utils.translation import trans_real
from django.utils.translation.trans_real import reset_cache
from pytest_django import Settings

from calls.admin.sidebar import GROUPS
from tests.factories import CallFactory, CommandFactory

pytestmark = [pytest.mark.database, pytest.mark.django_db]

ROOT = Path(__file__).parents[2]
# Of the list of commands and of the pages that tell a fault.
OTHERS = ("Asked", "State", "Why", "There is no such page", "Skip to content")
# Of the orders of a call: a group, a button, and what a dialog says.
ORDERS = (
    "Streaming",
    "Hang up",
    "It is shown while the recording is paused, and kept.",
)


def marked(text: str) -> str:
    """Return a text as our language has it."""
    return f"⟦{text}⟧"


def compiled(texts: list[str]) -> bytes:
    """Return a .mo file (GNU gettext manual, 10.3) that marks each of the texts."""
    head = "Content-Type: text/plain; charset=UTF-8\n"
    pairs = sorted([("", head), *((text, marked(text)) for text in texts)])
    columns = [[pair[side].encode() for pair in pairs] for side in (0, 1)]
    at = 28 + 16 * len(pairs)
    tables, strings = b"", b""
    for column in columns:
        for one in column:
            tables += struct.pack("<II", len(one), at + len(strings))
            strings += one + b"\0"
    start = struct.pack("<7I", 0x950412DE, 0, len(pairs), 28, 28 + 8 * len(pairs), 0, 0)
    return start + tables + strings


@pytest.fixture
def titles() -> list[str]:
    """What the sidebar has: groups and entries."""
    with translation.override("en"):
        entries = [str(entry[0]) for _, group in GROUPS for entry in group]
        return [*(str(title) for title, _ in GROUPS), *entries]


@pytest.fixture
def esperanto(tmp_path: Path, settings: Settings, titles: list[str]) -> Iterator[None]:
    """A language that marks what was translated."""
    for domain, texts in (
        ("django", [*titles, *OTHERS, *ORDERS]),
        ("djangojs", ["now"]),
    ):
        folder = tmp_path / "eo" / "LC_MESSAGES"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{domain}.mo").write_bytes(compiled(list(dict.fromkeys(texts))))
    settings.LANGUAGES = [("en", "English"), ("eo", "Esperanto")]
    settings.LOCALE_PATHS = [tmp_path]
    forget()
    yield
    forget()


def forget() -> None:
    """Forget what was loaded of languages."""
    reset_cache(setting="LANGUAGES", enter=True)
    # Private, but there is no other way to have a changed folder read.
    vars(trans_real)["_translations"].clear()


def page(client: Client, path: str) -> str:
    """Return a page as a browser gets it that prefers our language."""
    return client.get(path, headers={"accept-language": "eo"}).content.decode()


@pytest.mark.usefixtures("esperanto")
def test_the_sidebar_speaks_the_reader_s_language(
    root: Client, titles: list[str]
) -> None:
    text = page(root, "/admin/")

    shown = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "\n", text))
    assert [title for title in titles if marked(title) not in shown] == []
    assert 'lang="eo"' in text
    assert marked("Skip to content") in text


@pytest.mark.usefixtures("esperanto")
def test_a_list_its_columns_and_a_fault_speak_it(root: Client) -> None:
    CommandFactory.create()
    text = page(root, "/admin/calls/streamcommand/")

    assert all(marked(column) in text for column in ("Asked", "State"))
    assert marked("There is no such page") in page(root, "/nowhere/")


@pytest.mark.usefixtures("esperanto")
def test_orders_and_their_dialogs_speak_it(root: Client) -> None:
    call = CallFactory.create(live=True)

    text = page(root, f"/admin/calls/call/{call.pk}/change/")

    group, button, help_text = (marked(one) for one in ORDERS)
    assert f"<legend>{group}</legend>" in text
    assert f"<span>{button}</span>" in text
    [told] = re.findall(r'<script id="order-dialogs"[^>]*>(.*?)</script>', text, re.S)
    assert json.loads(told)["pause"]["fields"][0]["help"] == help_text


@pytest.mark.usefixtures("esperanto")
def test_scripts_get_their_texts_in_it_and_may_keep_them(root: Client) -> None:
    answer = root.get("/jsi18n/?eo", headers={"accept-language": "eo"})

    assert f'"now": {json.dumps(marked("now"))}' in answer.content.decode()
    assert "max-age=3600" in answer.headers["Cache-Control"]
    assert 'src="/jsi18n/?eo"' in page(root, "/admin/")


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="no GNU gettext here")
def test_the_texts_of_templates_python_and_scripts_are_gathered(
    tmp_path: Path, titles: list[str]
) -> None:
    for part in ("acsstream", "calls", "templates", "static", "scripts", "streaming"):
        shutil.copytree(ROOT / part, tmp_path / part)
    (tmp_path / "demo").mkdir()
    for name in ("__init__.py", "apps.py"):
        shutil.copy(ROOT / "demo" / name, tmp_path / "demo")

    subprocess.run(
        [sys.executable, "-m", "scripts.texts", "--language", "eo"],
        cwd=tmp_path,
        env=os.environ | {"DJANGO_SETTINGS_MODULE": "acsstream.settings"},
        check=True,
    )

    folder = tmp_path / "locale" / "eo" / "LC_MESSAGES"
    told = (folder / "django.po").read_text(encoding="utf-8")
    assert [title for title in titles if f'msgid "{title}"' not in told] == []
    assert 'msgid "There is no such page"' in told
    scripts = (folder / "djangojs.po").read_text(encoding="utf-8")
    assert 'msgid "now"' in scripts
    assert 'msgid_plural "%(n)s gaps"' in scripts


def test_without_gettext_it_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "scripts.texts", "--language", "eo"],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 1
    assert "apt-get install gettext" in done.stderr
