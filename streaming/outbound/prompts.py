"""A prompt's audio out of storage, in worker threads; the last ones are remembered."""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from typing import Final, cast

import numpy as np
import soundfile

from calls.audio.pcm import encode
from calls.storage import recording_open

# One prompt is often played into many calls at once. Names are never given twice.
MOST_BYTES: Final = 64 * 1024 * 1024
LONGEST_SECONDS: Final = 300


class PromptError(Exception):
    """A prompt's audio cannot be had; says why."""


_readers = ThreadPoolExecutor(2, thread_name_prefix="prompts")
_kept: OrderedDict[str, bytes] = OrderedDict()
_lock = Lock()


async def prompt_pcm(audio: Mapping[int, str], rate: int) -> bytes:
    """Return a prompt as 16-bit mono PCM at `rate`. Raises PromptError."""
    name = audio.get(rate)
    if name is None:
        raise PromptError(f"there is no audio of it at {rate} Hz")
    with _lock:
        if name in _kept:
            _kept.move_to_end(name)
            return _kept[name]
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_readers, _read, name, rate)


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
