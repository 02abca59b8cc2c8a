"""Parts are started in waves, watched, and always ended."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from demo import processes
from demo.processes import Part, PartFailedError, StopAsked, System

# Says that it runs, then waits for a signal.
WAITS = "import pathlib, signal; pathlib.Path('{0}').touch(); signal.pause()"
# Ignores SIGTERM, and has a child that does too.
STUBBORN = """
import os, pathlib, signal
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = os.fork()
if child:
    pathlib.Path('draft').write_text(f"{os.getpid()} {child}")
    os.rename('draft', '{0}')
while True:
    signal.pause()
"""


@pytest.fixture
def notices() -> list[str]:
    return []


@pytest.fixture
def system(tmp_path: Path, notices: list[str]) -> Iterator[System]:
    with System(tmp_path, tmp_path, notice=notices.append) as running:
        yield running


def part(name: str, code: str, is_ready: Callable[[], bool], **more: Any) -> Part:
    return Part(name, [sys.executable, "-c", code], is_ready, os.environ, **more)


def waiting(folder: Path, name: str, *, restarted: bool = False) -> Part:
    code = WAITS.format(name)
    return part(name, code, (folder / name).exists, is_restarted=restarted)


def ready() -> bool:
    return True


def never() -> bool:
    return False


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")")[-1]
    except OSError:
        return False
    # A zombie has ended; whoever started it has not looked yet.
    return state.split()[0] != "Z"


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def pid_of(system: System, name: str) -> int:
    [pid] = [each.process.pid for each in system._all() if each.part.name == name]
    return pid


def test_names_the_part_that_ends_at_once_and_quotes_its_log(system: System) -> None:
    broken = part("ingest", "print('out of luck'); raise SystemExit(7)", never)

    with pytest.raises(PartFailedError) as failed:
        system.start(broken)

    told = str(failed.value)
    assert "ingest ended with code 7" in told
    assert f"{system.logs}/ingest.log" in told
    assert "    out of luck" in told


def test_names_the_part_that_is_never_ready(system: System) -> None:
    slow = part("web", "import time; time.sleep(60)", never, patience=0.1)

    with pytest.raises(PartFailedError, match=r"web is not ready after 0\.1 s"):
        system.start(slow)


def test_names_the_part_whose_program_is_missing(system: System) -> None:
    missing = Part("redis", ["/nowhere/redis-server"], ready, {})

    with pytest.raises(PartFailedError, match="redis cannot be started"):
        system.start(missing)


def test_does_not_believe_a_part_that_ended_although_something_answers(
    system: System,
) -> None:
    # Its port was taken: the one who has it answers in its stead.
    def answered_by_another() -> bool:
        return system._all()[0].process.wait() == 1

    with pytest.raises(PartFailedError, match="web ended with code 1"):
        system.start(part("web", "raise SystemExit(1)", answered_by_another))


def test_ends_the_last_wave_first(system: System, tmp_path: Path) -> None:
    told = tmp_path / "told"
    code = (
        "import pathlib, signal, sys, time\n"
        "def end(*_):\n"
        f"    time.sleep(0.2); open('{told}', 'a').write('{{0}} '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "pathlib.Path('{0}').touch()\n"
        "while True: signal.pause()"
    )
    for name in ("first", "second", "third"):
        system.start(part(name, code.format(name), (tmp_path / name).exists))

    system.stop()

    assert told.read_text(encoding="ascii").split() == ["third", "second", "first"]


def test_kills_a_part_and_its_children_that_ignore_the_end(
    system: System, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    code = STUBBORN.replace("{0}", "pids")
    system.start(part("worker", code, pids.exists, stop_seconds=0.1))
    parent, child = map(int, pids.read_text(encoding="ascii").split())

    system.stop()

    assert not is_running(parent)
    until(lambda: not is_running(child))


def test_starts_a_killed_part_again_and_says_so(
    system: System, notices: list[str], tmp_path: Path
) -> None:
    system.start(waiting(tmp_path, "ingest", restarted=True))
    killed = pid_of(system, "ingest")

    os.kill(killed, signal.SIGKILL)
    while pid_of(system, "ingest") == killed:
        system.pause(0)

    assert notices == ["ingest was killed by signal 9 and was started again"]
    assert is_running(pid_of(system, "ingest"))


def test_gives_up_on_a_part_that_ends_again_and_again(
    system: System, notices: list[str], tmp_path: Path
) -> None:
    # Ready once, it fails from its second start on.
    code = (
        "import pathlib, sys, time; started = pathlib.Path('started')\n"
        "if started.exists(): sys.exit('worn out')\n"
        "started.touch(); time.sleep(60)"
    )
    started = tmp_path / "started"
    system.start(part("ingest", code, started.exists, is_restarted=True))

    os.kill(pid_of(system, "ingest"), signal.SIGKILL)

    with pytest.raises(PartFailedError, match="worn out"):
        system.pause(60)
    assert len(notices) == processes.MOST_RESTARTS


def test_fails_when_a_part_ends_without_which_there_is_nothing(
    system: System, tmp_path: Path
) -> None:
    system.start(waiting(tmp_path, "emulator"))

    os.kill(pid_of(system, "emulator"), signal.SIGKILL)

    with pytest.raises(PartFailedError, match="emulator was killed by signal 9"):
        system.pause(30)


@pytest.mark.parametrize("number", processes.STOP_SIGNALS)
def test_a_signal_ends_the_waiting_and_then_every_part(
    number: signal.Signals, tmp_path: Path
) -> None:
    before = signal.getsignal(number)

    with System(tmp_path, tmp_path, notice=print) as system:
        system.start(waiting(tmp_path, "redis"))
        pid = pid_of(system, "redis")
        os.kill(os.getpid(), number)
        with pytest.raises(StopAsked):
            system.pause(60)

    assert system.stopped_by == number
    assert not is_running(pid)
    assert signal.getsignal(number) == before


def test_a_second_signal_kills_what_takes_its_time(
    system: System, tmp_path: Path
) -> None:
    pids = tmp_path / "pids"
    code = STUBBORN.replace("{0}", "pids")
    system.start(part("worker", code, pids.exists, stop_seconds=600))

    os.kill(os.getpid(), signal.SIGTERM)
    os.kill(os.getpid(), signal.SIGTERM)
    system.stop()

    parent, _ = map(int, pids.read_text(encoding="ascii").split())
    assert not is_running(parent)


KILLED_DEMO = """
import os, signal, sys
from pathlib import Path
from typing import Any
from demo.processes import Part, System
folder = Path(sys.argv[1])
with System(folder, folder, notice=print) as system:
    code = "import os, pathlib, signal; " \\
        "pathlib.Path('draft').write_text(str(os.getpid())); " \\
        "os.rename('draft', 'pid'); signal.pause()"
    part = Part("web", [sys.executable, "-c", code], (folder / "pid").exists, {})
    system.start(part)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_parts_end_with_a_demo_that_is_killed(tmp_path: Path) -> None:
    demo = subprocess.run([sys.executable, "-c", KILLED_DEMO, tmp_path], check=False)

    assert demo.returncode == -signal.SIGKILL
    pid = int((tmp_path / "pid").read_text(encoding="ascii"))
    until(lambda: not is_running(pid))
