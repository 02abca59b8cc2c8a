"""Prompts that are added by script, as the demo does."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from calls.models import Prompt
from demo.scenario import PROMPTS, library_create
from tests.prompts.sounds import file_of, tone

pytestmark = [pytest.mark.database, pytest.mark.django_db]


def test_the_demo_has_its_prompts_however_often_it_begins() -> None:
    library_create()
    library_create()

    found = Prompt.objects.values_list("name", "level_dbfs")
    assert {name for name, _ in found} == set(PROMPTS)
    assert all(abs(level + 20) < 0.5 for _, level in found)


def test_never_takes_the_name_of_another_prompt(tmp_path: Path) -> None:
    library_create()
    other = tmp_path / "other.wav"
    other.write_bytes(file_of(tone()))

    with pytest.raises(CommandError, match="is another prompt"):
        call_command("prompt_add", "Recording notice", str(other))


def test_says_what_is_wrong_with_a_file(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()

    with pytest.raises(CommandError, match="no audio in the file"):
        call_command("prompt_add", "Empty", str(empty))
    with pytest.raises(CommandError, match="cannot be read"):
        call_command("prompt_add", "Nothing", str(tmp_path / "nothing.wav"))
    assert not Prompt.objects.exists()
