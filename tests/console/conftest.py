"""Who looks at the console, and recordings that are really there."""

import hashlib
import io
import json

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from django.test import Client

from calls.models import Recording
from calls.storage import recording_save
from tests.factories import RecordingFactory, UserFactory, member_of


@pytest.fixture
def operator(db: None) -> Client:
    """A browser with an operator logged in."""
    return logged_in(member_of("operator"))


@pytest.fixture
def auditor(db: None) -> Client:
    """A browser with an auditor logged in."""
    return logged_in(member_of("auditor"))


@pytest.fixture
def stranger(db: None) -> Client:
    """A browser with a member of staff who may nothing."""
    return logged_in(UserFactory.create())


@pytest.fixture
def root(db: None) -> Client:
    """A browser with a superuser logged in."""
    return logged_in(UserFactory.create(is_superuser=True))


def logged_in(user: object) -> Client:
    client = Client()
    client.force_login(user)  # type: ignore[arg-type] # any user model
    return client


@pytest.fixture
def speech() -> npt.NDArray[np.int16]:
    """Three seconds of something that does not compress to nothing."""
    noise = np.random.default_rng(7).integers(-9_000, 9_000, 48_000)
    return noise.astype(np.int16)


@pytest.fixture
def recording(db: None, speech: npt.NDArray[np.int16]) -> Recording:
    """A recording whose FLAC, peaks and manifest are in storage."""
    return stored_recording(speech)


def stored_recording(
    pcm: npt.NDArray[np.int16], rate: int = 16_000, **fields: object
) -> Recording:
    """Store `pcm` as a recording is stored."""
    buffer = io.BytesIO()
    soundfile.write(buffer, pcm, rate, format="FLAC", subtype="PCM_16")
    flac = buffer.getvalue()
    row = RecordingFactory.create(
        samples=len(pcm),
        sample_rate=rate,
        audio_bytes=len(flac),
        audio_sha256=hashlib.sha256(flac).hexdigest(),
        pcm_sha256=hashlib.sha256(pcm.tobytes()).hexdigest(),
        **fields,
    )
    peaks = {"version": 2, "bits": 8, "length": 1, "data": [-3, 4]}
    recording_save(row.audio, io.BytesIO(flac))
    recording_save(row.peaks, io.BytesIO(json.dumps(peaks).encode()))
    recording_save(row.manifest, io.BytesIO(b'{"kind": "test"}'))
    return row
