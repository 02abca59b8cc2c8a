"""A prompt's audio out of storage, in worker threads; the last ones are remembered."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Final, cast

import numpy as np
import soundfile

from calls.audio.pcm import encode
from calls.storage import recording_open

# One prompt is often played into many calls at once. Names are never given twice.
MOST_BYTES: Final = 64 * 1024 * 1024
LONGEST_SECONDS: Final = 300
# It stands in line while it is read, and holds up what stands behind it.
SLOWEST_SECONDS: Final = 10.0


class PromptError(Exception):
    """A prompt's audio cannot be had; says why."""


_readers = ThreadPoolExecutor(2, thread_name_prefix="prompts")
_kept: OrderedDict[str, bytes] = OrderedDict()
# Being read: whoever wants the same waits for the same.
_reading: dict[str, Future[bytes]] = {}
_lock = Lock()


async def prompt_pcm(audio: Mapping[int, str], rate: int) -> bytes:
    """Return a prompt as 16-bit mono PCM at `rate`. Raises PromptError."""
    name = audio.get(rate)
    if name is None:
        raise PromptError(f"there is no audio of it at {rate} Hz")
    try:
        async with asyncio.timeout(SLOWEST_SECONDS):
            # Whoever waits no more cancels it for nobody else.
            return await asyncio.shield(asyncio.wrap_future(_wanted(name, rate)))
    except TimeoutError as exc:
        words = f"its audio was not read within {SLOWEST_SECONDS:g} s"
        raise PromptError(words) from exc


def _wanted(name: str, rate: int) -> Future[bytes]:
    with _lock:
        if name in _kept:
            _kept.move_to_end(name)
            known: Future[bytes] = Future()
            known.set_result(_kept[name])
            return known
        if name not in _reading:
            _reading[name] = _readers.submit(_read_once, name, rate)
        return _reading[name]


def _read_once(name: str, rate: int) -> bytes:
    try:
        return _read(name, rate)
    finally:
        with _lock:
            _reading.pop(name, None)


def _read(name: str, rate: int) -> bytes:
    try:
        with recording_open(name) as file, soundfile.SoundFile(file) as sound:
            if (sound.samplerate, sound.channels) != (rate, 1):
                raise PromptError("its audio is not mono at the call's rate")
            if sound.frames > LONGEST_SECONDS * rate:
                raise PromptError("it is longer than five minutes")
            samples = cast(
                np.ndarray[tuple[int], np.dtype[np.int16]], sound.read(dtype="int16")
            )
    except (soundfile.LibsndfileError, OSError) as exc:
        raise PromptError(f"its audio cannot be read ({type(exc).__name__})") from exc
    except PromptError:
        raise
    except Exception as exc:
        # A remote storage raises errors of its own.
        raise PromptError(f"its audio cannot be read ({type(exc).__name__})") from exc
    pcm = encode(samples)
    with _lock:
        _kept[name] = pcm
        while sum(map(len, _kept.values())) > MOST_BYTES:
            _kept.popitem(last=False)
    return pcm
