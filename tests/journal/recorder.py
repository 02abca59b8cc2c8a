"""A small recorder to run as a program of its own: to be killed, forked and starved.

    python -m tests.journal.recorder <what> <folder>

Everything it prints was handed to the journal before it was printed.
"""

import os
import resource
import sys
import time
from pathlib import Path
from uuid import UUID

from calls.journals.format import JournalError
from streaming.journal import Journal, JournalWriter
from tests.journal.strategies import header

SPEAKERS = 2
JOURNALS = 4


def packet(number: int) -> bytes:
    """Return 20 ms of PCM that says which packet it is."""
    return number.to_bytes(4, "little") * 160


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def record_until_killed(folder: Path) -> None:
    """Append 50 packets a second per speaker, for ever, to several journals."""
    writer = JournalWriter(folder)
    journals = [writer.open(header(UUID(int=i))) for i in range(JOURNALS)]
    speakers = [
        [j.participant(f"8:acs:{n}") for n in range(SPEAKERS)] for j in journals
    ]
    started = time.monotonic()
    number = 0
    while True:
        for journal, indexes in zip(journals, speakers, strict=True):
            for index in indexes:
                arrival = int((time.monotonic() - started) * 1e6)
                journal.audio(index, number * 20_000, arrival, packet(number), False)
        say(number, time.monotonic())
        number += 1
        time.sleep(max(0.0, started + number * 0.02 - time.monotonic()))


def record_into_a_full_disk(folder: Path) -> None:
    """Meet a limit on the file's size in the middle of a record; lift it; go on."""
    # 700 bytes hold the header and the beginning of the first packet.
    resource.setrlimit(resource.RLIMIT_FSIZE, (700, resource.RLIM_INFINITY))
    writer = JournalWriter(folder, flush_interval=0.01, max_pending_bytes=5000)
    journal = writer.open(header(UUID(int=1)))
    taken = [number for number in range(20) if append(journal, number)]
    while not journal.error:
        time.sleep(0.005)
    say(journal.error)
    say(journal.path.stat().st_size)

    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    while writer.health().pending_bytes:
        time.sleep(0.005)
    taken += [number for number in range(20, 25) if append(journal, number)]
    journal.seal(1000, "", {}).result(timeout=20)
    say(*taken)
    say(journal.dropped_packets, journal.error)


def record_where_no_header_fits(folder: Path) -> None:
    """Meet a disk that does not even take the header; then one that does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
    writer = JournalWriter(folder, flush_interval=0.01)
    journal = writer.open(header(UUID(int=1)))
    append(journal, 7)
    while not journal.error:
        time.sleep(0.005)
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    journal.seal(1000, "", {}).result(timeout=20)
    say(journal.error, *(path.suffix for path in folder.iterdir()))


def append(journal: Journal, number: int) -> bool:
    return journal.audio(0, None, number, packet(number), False)


def fork(folder: Path) -> None:
    """Try to open a journal in a child of the process whose writer it is."""
    writer = JournalWriter(folder)
    writer.open(header())
    child = os.fork()
    if child == 0:
        try:
            writer.open(header())
        except JournalError as error:
            say(error)
        os._exit(0)
    os.waitpid(child, 0)
    say(writer.close())


def forget_to_close(folder: Path) -> None:
    """End in good order without closing the writer."""
    writer = JournalWriter(folder, flush_interval=30)
    append(writer.open(header(UUID(int=1))), 7)


if __name__ == "__main__":
    scenarios = [
        record_until_killed,
        record_into_a_full_disk,
        record_where_no_header_fits,
        fork,
        forget_to_close,
    ]
    {scenario.__name__: scenario for scenario in scenarios}[sys.argv[1]](
        Path(sys.argv[2])
    )
