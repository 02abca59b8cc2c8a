"""`ACSSTREAM_TEST_REQUIRE_ALL=1`: a skipped test fails the run and says why."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TESTS = """
import pytest

def test_passes():
    pass

@pytest.mark.skipif(True, reason="no moon tonight")
def test_needs_the_moon():
    pass
"""


def run(folder: Path, *arguments: str, require_all: str) -> tuple[int, str]:
    """Run two tests, one of them skipped, under the suite's own conftest."""
    (folder / "test_two.py").write_text(TESTS, encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "tests.conftest", str(folder)]
    # As if from a terminal, even when this test itself runs in a worker.
    outside = {key: os.environ[key] for key in os.environ if "XDIST" not in key}
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={**outside, "ACSSTREAM_TEST_REQUIRE_ALL": require_all},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_skipped_test_is_fine_on_a_laptop(tmp_path: Path) -> None:
    status, said = run(tmp_path, require_all="")

    assert status == 0
    assert "not allowed" not in said


@pytest.mark.parametrize("processes", [[], ["-n", "1"]], ids=["one", "workers"])
def test_a_skipped_test_fails_ci_and_says_why(
    tmp_path: Path, processes: list[str]
) -> None:
    status, said = run(tmp_path, *processes, require_all="1")

    assert status == 1
    assert "FAILED, skipped is not allowed: " in said
    assert "test_two.py" in said
    assert "no moon tonight" in said


def test_all_run_is_fine_in_ci(tmp_path: Path) -> None:
    status, _ = run(tmp_path, "-k", "passes", require_all="1")

    assert status == 0
