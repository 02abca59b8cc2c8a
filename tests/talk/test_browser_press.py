"""What of a press goes to the server, and when: the browser's own code, in Node.js."""

import json
import shutil
import subprocess
from pathlib import Path

PROGRAM = Path(__file__).parent / "press.mjs"
QUIET, LOUD = 0.0, 0.5


def sent(*steps: float | str) -> list[int | str]:
    """Return the counts of the frames that are sent, and what is said between them."""
    node = shutil.which("node")
    assert node, "node comes with npm, which `make setup` needs"
    done = subprocess.run(
        [node, "--no-warnings", str(PROGRAM)],
        input=json.dumps(steps),
        capture_output=True,
        check=True,
        text=True,
    )
    found: list[int | str] = json.loads(done.stdout)
    return found


def test_nothing_leaves_before_the_server_takes_it_and_then_all_in_order() -> None:
    assert sent(LOUD, LOUD) == ["press"]
    assert sent(LOUD, LOUD, "open", LOUD, "said") == ["press", 0, 1, 2, "release"]


def test_who_lets_go_before_the_server_answers_is_heard_all_the_same() -> None:
    steps = (LOUD, LOUD, "ending", LOUD, "said", LOUD, "open")
    assert sent(*steps) == ["press", 0, 1, 2, "release"]


def test_silence_before_the_first_word_does_not_make_it_late() -> None:
    steps: list[float | str] = [*[QUIET] * 40, LOUD, LOUD, "open"]
    assert sent(*steps) == ["press", *range(35, 42)]


def test_what_waited_is_made_up_for_in_pauses_and_only_there() -> None:
    # Three words wait; then one is said, and there is a pause, a word, another pause.
    steps: list[float | str] = [LOUD, LOUD, LOUD, "open", LOUD]
    steps += [*[QUIET] * 7, LOUD, *[QUIET] * 9]

    found = sent(*steps)

    # Of the first pause the sixth and seventh are left out, of the second the sixth.
    assert found == ["press", *range(9), 11, *range(12, 17), *range(18, 21)]


def test_says_that_the_network_is_too_slow() -> None:
    assert sent(LOUD, "open", "stuck", LOUD) == ["press", 0, "slow"]
    assert sent(*[LOUD] * 101)[-1] == "slow"
