"""An operator's first quarter of an hour, in a real browser on the real system."""

import contextlib
import io
import signal
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Locator, Page, expect, sync_playwright

from demo.loopback import bytes_of, json_of
from tests.e2e.terminal import QUIET, Demo, demo_on_terminal
from tests.talk.microphone import flags

# Chromium starts, and signs in, while it runs.
CALL_SECONDS = 60
PATIENCE = 60.0
PATIENCE_MS = PATIENCE * 1000
# The demo's rules give it a profile that is bidirectional, and nothing that answers.
LINE_THAT_HEARS_US = "4:+18005550107"
RATE = 16_000
FRAME = RATE // 50
TONE_HZ = 700.0
HELD_FRAMES = 75
# Longer than any pause of the microphone's tone.
PAUSE_SECONDS = 1.5
OUR_CALL = "select id from calls_call where connection_id = ?"
OUR_RECORDING = """
select recording.audio from calls_recording recording
join calls_track track on track.id = recording.track_id
join calls_participant participant on participant.id = track.participant_id
where track.call_id = ? and participant.raw_id = 'us'
"""
SOON = 60_000


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Run the demo with one call, as on somebody's terminal."""
    folder = tmp_path_factory.mktemp("demo") / "data"
    options = ("--calls", "1", "--seconds", str(CALL_SECONDS))
    with demo_on_terminal(folder, *options) as running:
        yield running


@pytest.fixture(scope="module")
def page(
    demo: Demo, chromium_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Page]:
    """Sign in as the demo says, and return the page with the dashboard."""
    console, (name, password) = demo.console(), demo.operator()
    microphone = flags(tmp_path_factory.mktemp("microphone") / "tone.wav", TONE_HZ)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=[*QUIET, *microphone]
        )
        page = browser.new_page(
            viewport={"width": 1440, "height": 900}, permissions=["microphone"]
        )
        page.set_default_timeout(SOON)
        page.goto(f"{console}/admin/")
        page.fill("input[name=username]", name)
        page.fill("input[name=password]", password)
        page.click("button[type=submit]")
        yield page
        browser.close()


@pytest.mark.browser
def test_operator_watches_stops_and_plays_a_call(page: Page, demo: Demo) -> None:
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))

    # A call appears by itself, and streams.
    row = page.locator("#live tbody tr").first
    expect(row).to_contain_text("Streaming", timeout=SOON)
    participants = row.locator(".console-track")
    expect(participants).to_have_count(2, timeout=SOON)

    # Stop is pressed, and it stops.
    row.get_by_role("button", name="Stop").click()
    expect(row.locator(".streaming .console-chip")).to_have_text(
        "Stopped", timeout=SOON
    )

    # The call ends, is verified against what was sent, and lies in the archive.
    demo.await_line(r"OK: all 1 calls 100 % complete", CALL_SECONDS + 60)
    ended = page.locator("#ended tbody tr", has_text="Finished").first
    expect(ended).to_be_visible(timeout=SOON)
    ended.locator("a").first.click()

    # Its recording plays: time advances, and the sound that is played is not ahead.
    player = page.locator("#player.ready")
    expect(player).to_be_visible(timeout=SOON)
    player.get_by_role("button", name="Play", exact=True).click()
    expect(player.locator(".time b")).not_to_have_text("0:00", timeout=SOON)
    page.wait_for_function(
        "[...document.querySelectorAll('#player audio')].some(a => a.currentTime > 1)"
    )

    assert faults == []


@dataclass
class FarEnd:
    """A call that the emulator rings, and what the emulator says of it."""

    emulator: str
    page: Page
    report: dict[str, Any] = field(default_factory=dict)

    def ring(self, number: str) -> None:
        self.report = json_of(f"{self.emulator}/emulator/calls", {"to": number})
        self.until(lambda: (self.report["media"] or {}).get("state") == "active")

    def until(self, claim: Callable[[], object]) -> None:
        """Ask the emulator until a claim is true, while the page goes on."""
        url = f"{self.emulator}/emulator/calls/{self.report['id']}"
        deadline = time.monotonic() + PATIENCE
        while True:
            self.report = json_of(url)
            if claim():
                return
            assert time.monotonic() < deadline, self.report
            self.page.wait_for_timeout(100)

    @property
    def played(self) -> int:
        """How many frames of us were heard."""
        played: int = self.report["outbound"]["played_packets"]
        return played

    def heard(self) -> Any:
        url = f"{self.emulator}/emulator/calls/{self.report['id']}/heard.wav"
        return sound(io.BytesIO(bytes_of(url)))


def sound(file: Path | io.BytesIO) -> Any:
    samples, rate = soundfile.read(file, dtype="int16")
    assert rate == RATE
    return samples


def one(folder: Path, query: str, value: str) -> str:
    """Return what the demo's database has; "" if it has nothing yet."""
    with contextlib.closing(sqlite3.connect(folder / "acsstream.sqlite3")) as database:
        return next((str(text) for (text,) in database.execute(query, (value,))), "")


def phase(talk: Locator) -> str | None:
    return talk.get_attribute("data-phase")


def loudest_hz(samples: Any) -> float:
    loudest = np.argmax(np.abs(np.fft.rfft(samples)))
    return float(loudest * RATE / len(samples))


@pytest.mark.browser
def test_operator_speaks_into_a_call_while_the_button_is_held(
    page: Page, demo: Demo
) -> None:
    far = FarEnd(demo.emulator(), page)
    far.ring(LINE_THAT_HEARS_US)
    call_id = one(demo.folder, OUR_CALL, far.report["call_connection_id"])
    page.goto(f"{demo.console()}/admin/calls/call/{UUID(call_id)}/change/")
    talk = page.locator("#talk")
    expect(talk).to_have_attribute("data-can", "true", timeout=PATIENCE_MS)

    # While it is held the call hears the microphone. The page ends a press itself where
    # the machine is too slow to speak over; then it is pressed again.
    talk.get_by_role("button", name="Hold to speak").hover()
    presses = 0
    while far.played < HELD_FRAMES:
        presses += 1
        assert presses <= 5
        page.mouse.down()
        far.until(lambda: far.played >= HELD_FRAMES or phase(talk) == "idle")
        page.mouse.up()

    # From then on nothing, although the microphone goes on hearing its tone.
    # It is over because it was let go, not because one may not speak any longer.
    over = talk.get_by_text("You spoke for")
    expect(over).to_be_visible(timeout=PATIENCE_MS)
    far.until(lambda: not far.report["outbound"]["queued_ms"])
    played, at = far.played, far.report["elapsed"]
    far.until(lambda: far.report["elapsed"] > at + PAUSE_SECONDS)
    assert far.played == played
    heard = far.heard()
    assert loudest_hz(heard) == pytest.approx(TONE_HZ, abs=5)

    # The archive has it as well: the same frames.
    json_of(f"{far.emulator}/emulator/calls/{far.report['id']}/hangup", {})
    far.until(lambda: one(demo.folder, OUR_RECORDING, call_id))
    audio = demo.folder / "recordings" / one(demo.folder, OUR_RECORDING, call_id)
    ours = sound(audio)
    assert loudest_hz(ours) == pytest.approx(TONE_HZ, abs=5)
    frames = [heard[at : at + FRAME].tobytes() for at in range(0, len(heard), FRAME)]
    missing = [each for each in frames if any(each) and each not in ours.tobytes()]
    # The last frame of a press is sent with silence behind it.
    assert len(missing) <= presses


@pytest.mark.browser
def test_ctrl_c_leaves_nothing_behind(demo: Demo) -> None:
    console = demo.console()

    demo.process.send_signal(signal.SIGINT)
    demo.await_line("All parts have ended", PATIENCE)

    demo.process.wait(PATIENCE)
    with socket.socket() as probe:
        probe.settimeout(2)
        taken = probe.connect_ex(("127.0.0.1", urlsplit(console).port or 0))
    assert taken != 0
