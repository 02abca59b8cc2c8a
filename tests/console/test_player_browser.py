"""The player in a real browser, by what the audio elements do."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect, sync_playwright

from tests.console.daphne import filled_console
from tests.console.signing import signed_in as browser_signed_in
from tests.console.test_browser import FLAGS, PATIENCE

pytestmark = pytest.mark.browser

SOON = PATIENCE * 1_000
# Twenty seconds: Ada speaks at 0 to 3 and 10 to 12, Bob (whose track begins at 2) at 3
# to 5 and 12 to 14. From 5 to 10 and from 14 on nobody speaks; at 7 Bob's track has a
# gap.
FILL = """
import io, json
import django
django.setup()
import numpy as np
from django.contrib.auth.models import User
from tests.seed import migrate
migrate()
from calls.audio.peaks import PeakBuilder
from calls.storage import recording_save
from tests.factories import CallFactory, TrackFactory
from tests.console.conftest import stored_recording
User.objects.create_superuser("root", password="secret")
RATE = 16_000
call = CallFactory(ended=True, from_raw_id="4:+12065550100")
at = np.arange(20 * RATE) / RATE
def voice(hertz, *spans):
    heard = sum((at >= a) & (at < b) for a, b in spans)
    return (9_000 * heard * np.sin(2 * np.pi * hertz * at)).astype(np.int16)
ada, bob = voice(400, (0, 3), (10, 12)), voice(900, (3, 5), (12, 14))
def store(pcm, name="", raw_id="", seconds=0, runs=None):
    origin_us = call.origin_us + seconds * 1_000_000
    track = TrackFactory(
        call=call, samples=len(pcm), origin_us=origin_us,
        participant__display_name=name, participant__raw_id=raw_id,
        ledger={"rate": RATE, "runs": runs or [["r", len(pcm)]]},
    ) if name else None
    row = stored_recording(pcm, call=call, track=track, origin_us=origin_us)
    peaks = PeakBuilder(RATE)
    peaks.add(pcm)
    drawn = json.dumps(peaks.finish().to_json()).encode()
    row.peaks = recording_save(f"{row.pk}.drawn.json", io.BytesIO(drawn))
    row.save()
    return str(row.pk)
print(json.dumps({
    "call": str(call.pk),
    "mix": store(ada + bob),
    "ada": store(ada, "Ada Okafor", call.from_raw_id),
    "bob": store(bob[2 * RATE:], "Bob Hale", "8:acs:bob", 2,
                 [["r", 5 * RATE], ["g", RATE], ["r", 12 * RATE]]),
}))
"""
# No two clocks of a browser are read at the same time.
CLOSE = 0.3
MARKERS = [
    {"at": 3.5, "kind": "note", "label": "Bob agrees", "raw_id": ""},
    {"at": 11.0, "kind": "tone", "label": "Tone 5", "raw_id": "4:+12065550100"},
]


@dataclass
class Player:
    """The player on a page, and what its audio elements do."""

    page: Page
    url: str
    facts: dict[str, str]
    markers: list[dict[str, Any]] = field(default_factory=list)

    def open(self, query: str = "") -> "Player":
        """Load the call's page and wait until waveforms and silences are known."""
        self.page.goto(f"{self.url}{query}")
        return self.await_ready()

    def await_ready(self) -> "Player":
        self.page.wait_for_selector("#player.ready")
        expect(self.page.locator("[data-do=skip] .saves")).not_to_be_empty()
        return self

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def audio(self, who: str, what: str) -> Any:
        """Return a property of an audio element: of the mix, ada or bob."""
        return self.page.evaluate(
            "([id, what]) => document.querySelector(`[data-id='${id}'] audio`)[what]",
            [self.facts[who], what],
        )

    def each(self, what: str) -> list[Any]:
        """Return a property of the mix, of Ada and of Bob."""
        return [self.audio(who, what) for who in ("mix", "ada", "bob")]

    def await_time(self, who: str, claim: str) -> None:
        """Wait until the time of an element, `t`, is as claimed."""
        self.page.wait_for_function(
            f"""id => {{
                const audio = document.querySelector(`[data-id='${{id}}'] audio`);
                const t = audio.currentTime;
                return {claim};
            }}""",
            arg=self.facts[who],
        )

    def watch(self, who: str) -> None:
        """Begin to write down where an element is, frame by frame.

        With each moment goes how much was played since the frame before: the player
        sees no sooner than we that something is over.
        """
        self.page.evaluate(
            """id => {
                const audio = document.querySelector(`[data-id='${id}'] audio`);
                let before = performance.now();
                [window.seen, window.unseen] = [[], []];
                const look = () => {
                    const now = performance.now();
                    if (!audio.seeking) {
                        window.seen.push(audio.currentTime);
                        window.unseen.push((now - before) / 1000 * audio.playbackRate);
                    }
                    before = now;
                    requestAnimationFrame(look);
                };
                look();
            }""",
            self.facts[who],
        )

    def seen(self) -> list[float]:
        found: list[float] = self.page.evaluate("window.seen")
        return found

    def seen_after(self, end: float) -> list[float]:
        """Return where it was after `end`, and not because a frame came late."""
        found: list[float] = self.page.evaluate(
            "end => window.seen.filter((at, n) => at > end + window.unseen[n])",
            end + CLOSE,
        )
        return found

    def lane(self, who: str) -> Any:
        return self.page.locator(f"[data-id='{self.facts[who]}']")

    @property
    def position(self) -> str:
        return self.page.locator(".console-transport .time b").inner_text()


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    with filled_console(tmp_path_factory.mktemp("player"), FILL) as found:
        yield found


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[Browser]:
    # No page may play by itself: the flag that lets it is not for these tests.
    flags = [flag for flag in FLAGS if "autoplay" not in flag]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(chromium_path), args=flags
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def signed_in(browser: Browser, console: tuple[str, Any]) -> Any:
    """Sign in once."""
    return browser_signed_in(browser, console[0])


@pytest.fixture
def player(
    browser: Browser, console: tuple[str, Any], signed_in: Any
) -> Iterator[Player]:
    """The call's page, not loaded yet; an error on the console fails the test."""
    faults: list[str] = []
    context = browser.new_context(
        storage_state=signed_in, viewport={"width": 1440, "height": 900}
    )
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = context.new_page()
    page.set_default_timeout(SOON)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on(
        "console",
        lambda said: faults.append(said.text) if said.type == "error" else None,
    )
    url, facts = console
    player = Player(page, f"{url}/admin/calls/call/{facts['call']}/change/", facts)

    def tell_markers(route: Route) -> None:
        route.fulfill(json=player.markers)

    page.route("**/markers.json", tell_markers)
    yield player
    context.close()
    assert faults == []


def test_plays_when_told_to_and_not_before(player: Player) -> None:
    player.open()
    assert player.each("paused") == [True, True, True]
    assert player.each("autoplay") == [False, False, False]
    assert player.each("currentTime") == [0, 0, 0]

    player.press(" ")
    player.await_time("mix", "t > 0.3")
    # The mix is everybody: the others need not play.
    assert player.each("paused") == [False, True, True]
    assert player.each("muted") == [False, True, True]
    expect(player.page.get_by_role("button", name="Pause", exact=True)).to_be_visible()

    player.press(" ")
    assert player.each("paused") == [True, True, True]
    player.page.get_by_role("button", name="Play", exact=True).click()
    player.await_time("mix", "t > 0.6")


def test_takes_no_audio_before_it_plays(player: Player) -> None:
    # The server notes who takes audio: opening a page is not playing a recording.
    taken: list[str] = []
    player.page.on(
        "request",
        lambda sent: taken.append(sent.url) if sent.url.endswith("/audio") else None,
    )

    player.open("?t=5")
    player.press("1", "l")
    player.page.wait_for_load_state("networkidle")
    assert taken == []

    player.press(" ")
    player.await_time("ada", "t > 15.2")
    assert taken


def test_moves_by_keys_and_buttons(player: Player) -> None:
    player.open()
    at = []
    for key in ("l", "ArrowRight", "j", "ArrowLeft", "l"):
        player.press(key)
        at.append(player.audio("mix", "currentTime"))
    assert at == [10, 15, 5, 0, 10]

    # The ends belong to the page, until the focus is in the player.
    player.press("End")
    assert player.position == "0:10"
    player.lane("ada").locator(".wave").focus()
    player.press("End")
    assert player.position == "0:20"
    player.press("Home")
    assert player.position == "0:00"

    player.page.get_by_role("button", name="On 10 seconds").click()
    player.page.get_by_role("button", name="On 10 seconds").click()
    player.page.get_by_role("button", name="Back 10 seconds").click()
    assert player.audio("mix", "currentTime") == 10
    wave = player.lane("ada").locator(".wave")
    assert wave.get_attribute("aria-valuetext") == "0:10 of 0:20"
    assert wave.get_attribute("role") == "slider"


def test_keeps_the_pitch_at_every_speed(player: Player) -> None:
    player.open()
    for speed in (0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3):
        button = player.page.locator(f"[data-speed='{speed}']")
        button.click()
        assert player.each("playbackRate") == [speed] * 3
        assert player.each("preservesPitch") == [True] * 3
        assert button.get_attribute("aria-pressed") == "true"

    player.press(".", ",", ",")
    assert player.audio("mix", "playbackRate") == 2
    player.press(" ")
    player.await_time("mix", "t > 0.2")
    assert player.audio("mix", "playbackRate") == 2
    player.press(*"," * 9)
    assert player.audio("mix", "playbackRate") == 0.5


def test_solo_plays_one_speaker_from_their_own_track(player: Player) -> None:
    player.open()
    player.press("2", " ")
    player.await_time("bob", "t > 0.3")
    assert player.each("paused") == [True, True, False]
    assert player.each("muted") == [True, True, False]
    solo = player.lane("bob").get_by_role("button", name="Hear only Bob Hale")
    assert solo.get_attribute("aria-pressed") == "true"

    # Somebody else, from where the call is: Bob's track began two seconds later.
    player.press("1")
    player.await_time("ada", "t > 2.3")
    assert player.each("paused") == [True, False, True]

    player.press("1")
    player.await_time("mix", "t > 2.3")
    assert player.each("paused") == [False, True, True]
    solo.click()
    assert player.each("muted") == [True, True, False]
    player.press("0")
    assert player.each("muted") == [False, True, True]


def test_mute_and_volume_are_each_speakers_own(player: Player) -> None:
    player.open()
    mute = player.lane("ada").get_by_role("button", name="Mute Ada Okafor")
    mute.click()
    assert player.each("muted") == [True, True, False]
    assert mute.get_attribute("aria-pressed") == "true"
    # With the focus in a lane, M is that lane's.
    player.press("m")
    assert player.each("muted") == [False, True, True]

    # As soon as one is quieter, the mix will not do.
    player.lane("bob").get_by_label("Volume of Bob Hale").fill("0.25")
    assert player.each("muted") == [True, False, False]
    assert player.each("volume")[1:] == [1, 0.25]
    player.page.get_by_label("Volume", exact=True).fill("0.5")
    assert player.each("volume")[1:] == [0.5, 0.125]
    # Both alike: the mix again, as loud as they were.
    player.lane("ada").get_by_label("Volume of Ada Okafor").fill("0.25")
    assert player.each("muted") == [False, True, True]
    assert player.audio("mix", "volume") == 0.125

    player.page.evaluate("document.activeElement.blur()")
    player.press("m")
    assert player.each("muted") == [True, True, True]
    player.press("m", "0")
    assert player.each("muted") == [False, True, True]


# However long that took, there is enough left to play.
SEEK = """
document.dispatchEvent(
  new CustomEvent("call:seek", { detail: { at: 3 }, cancelable: true }))
"""


def await_step(player: Player) -> None:
    """Wait until Ada's and Bob's tracks were within 60 ms for sixty frames."""
    player.page.evaluate("window.inStep = 0")
    player.page.wait_for_function(
        """([ada, bob]) => {
            const audio = id => document.querySelector(`[data-id='${id}'] audio`);
            const [here, there] = [audio(ada).currentTime, audio(bob).currentTime + 2];
            const isInStep = !audio(ada).paused && Math.abs(here - there) <= 0.06;
            window.inStep = isInStep ? window.inStep + 1 : 0;
            return window.inStep > 60;
        }""",
        arg=[player.facts["ada"], player.facts["bob"]],
    )


def test_tracks_that_are_heard_together_stay_in_step(player: Player) -> None:
    player.open("?t=3")
    player.page.get_by_role("button", name="All tracks").click()
    player.press(" ")
    await_step(player)
    assert player.each("paused") == [True, False, False]

    # Whatever puts them apart: they come together again.
    player.page.evaluate(SEEK)
    player.lane("bob").locator(".wave > audio").evaluate(
        "audio => { audio.currentTime += 0.5 }"
    )
    await_step(player)


def test_skips_where_nobody_speaks(player: Player) -> None:
    player.open("?t=4.5")
    expect(player.page.locator("[data-do=skip] .saves")).to_have_text("saves 0:10")
    player.press("s")
    player.watch("mix")
    player.press(" ")
    player.await_time("mix", "t > 10.2")
    player.press(" ")
    # Speech has a breath of 0.2 s around it.
    assert [at for at in player.seen_after(5.2) if at < 9.7] == []

    # Nothing is said after 0:14: then it is over.
    player.lane("mix").locator(".wave").focus()
    player.page.locator("[data-speed='3']").click()
    player.press(" ")
    player.page.wait_for_function(
        "document.querySelector('.console-transport .time b').textContent === '0:20'"
    )
    assert player.each("paused") == [True, True, True]
    assert player.seen_after(14.2) == []

    player.press("s")
    assert "false" in (
        player.page.locator("[data-do=skip]").get_attribute("aria-pressed") or ""
    )


def test_loops_from_a_to_b(player: Player) -> None:
    player.open("?t=11")
    player.press("a", "ArrowRight", "b")
    looped = player.page.locator(".looped")
    expect(looped).to_be_visible()
    width = looped.evaluate("node => parseFloat(node.style.width)")
    assert width == pytest.approx(25, abs=0.5)  # 5 of 20 seconds

    player.page.locator("[data-speed='3']").click()
    player.press("j", "ArrowRight", " ")  # from 0:11
    player.watch("mix")
    wraps = "window.seen.filter((at, n) => n && at < window.seen[n - 1] - 2).length"
    player.page.wait_for_function(f"{wraps} >= 2")
    assert player.seen_after(16) == []
    assert min(player.seen()) > 10.5

    player.press("c")
    expect(looped).to_be_hidden()
    player.page.wait_for_function("window.seen.at(-1) > 17.5")


def test_b_before_a_begins_a_new_loop(player: Player) -> None:
    player.open("?t=10")
    player.press("[", "ArrowLeft", "]")
    pressed = "[data-do={}][aria-pressed=true]"
    expect(player.page.locator(pressed.format("b"))).to_have_count(1)
    expect(player.page.locator(pressed.format("a"))).to_have_count(0)


def test_a_shared_moment_is_ready_and_quiet(player: Player) -> None:
    player.open()
    player.press("l", "ArrowRight")
    player.page.get_by_role("button", name="Share moment").click()
    expect(player.page.locator(".said")).to_have_text("Link to 0:15 copied.")
    link = player.page.evaluate("navigator.clipboard.readText()")
    assert link == f"{player.url}?t=15"

    player.page.goto(link)
    player.await_ready()
    assert player.position == "0:15"
    assert player.each("paused") == [True, True, True]
    expect(player.page.locator("#player")).to_be_in_viewport()
    assert player.page.evaluate("document.activeElement.closest('#player') !== null")
    player.press(" ")
    player.await_time("mix", "t > 15.2")
    assert player.audio("mix", "currentTime") < 19


@pytest.mark.parametrize("asked", ["?t=", "?t=soon", "?t=-4", "?t=NaN", "?t=1e999"])
def test_a_moment_that_is_none_is_the_beginning(player: Player, asked: str) -> None:
    player.open(asked)

    assert player.position == "0:00"


def test_a_moment_after_the_end_is_the_end(player: Player) -> None:
    assert player.open("?t=9999").position == "0:20"


def test_shows_the_link_where_there_is_no_clipboard(player: Player) -> None:
    player.page.add_init_script("Object.defineProperty(navigator, 'clipboard', {})")
    player.open("?t=2.5")
    player.page.get_by_role("button", name="Share moment").click()

    field = player.page.get_by_label("Link to this moment")
    expect(field).to_have_value(f"{player.url}?t=2.5")
    expect(field).to_be_focused()


def test_a_click_goes_there_and_shift_loops(player: Player) -> None:
    player.open()
    box = player.lane("bob").locator(".wave").bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    player.page.mouse.click(box["x"] + box["width"] / 2, middle)
    assert player.audio("mix", "currentTime") == pytest.approx(10, abs=0.1)

    player.page.keyboard.down("Shift")
    player.page.mouse.move(box["x"] + box["width"] / 4, middle)
    player.page.mouse.down()
    player.page.mouse.move(box["x"] + box["width"] / 2, middle, steps=3)
    player.page.mouse.up()
    player.page.keyboard.up("Shift")
    looped = player.page.locator(".looped")
    assert looped.evaluate("node => parseFloat(node.style.left)") == pytest.approx(
        25, abs=1
    )
    assert looped.evaluate("node => parseFloat(node.style.width)") == pytest.approx(
        25, abs=1
    )


def test_zooms_and_tells_the_time_of_day(player: Player) -> None:
    player.open("?t=10")
    hole = player.lane("bob").locator(".hole")
    before = hole.evaluate("node => node.getBoundingClientRect().width")
    player.press("+", "+")
    shown = player.page.get_by_label("Part of the call on screen")
    expect(shown).to_have_attribute("aria-valuetext", "0:07 to 0:12")
    wider = hole.evaluate("node => node.getBoundingClientRect().width")
    assert wider == pytest.approx(4 * before, rel=0.1)
    expect(hole).to_have_attribute("title", "Missing: 1.00 s at 0:07")

    # The page turns when the call moves out of it.
    player.press("l")
    player.page.wait_for_function(
        "document.querySelector('.head').getBoundingClientRect().left"
        " <= document.querySelector('.over').getBoundingClientRect().right"
    )
    player.press("-", "-")
    expect(shown).to_be_hidden()
    player.lane("ada").locator(".wave").hover()
    expect(player.page.locator(".under span")).to_have_text(
        re.compile(r"^0:\d\d\.\d · \d\d:\d\d:\d\d.* UTC")
    )


def test_markers_are_drawn_and_lead_there(player: Player) -> None:
    player.markers = MARKERS
    player.open()
    expect(player.page.locator(".flag")).to_have_count(2)
    # What is about a speaker is in their lane.
    expect(player.lane("ada").locator(".line")).to_have_count(1)
    player.page.get_by_text("2 markers").click()
    player.page.get_by_role("button", name="Tone 5").click()
    assert player.audio("mix", "currentTime") == 11
    player.press("p")
    assert player.audio("mix", "currentTime") == 3.5
    player.press("n")
    assert player.audio("mix", "currentTime") == 11
    player.page.locator(".flag[data-kind=note]").click()
    assert player.audio("mix", "currentTime") == 3.5


def test_a_call_without_markers_shows_no_list(player: Player) -> None:
    player.open()

    expect(player.page.locator(".marks")).to_be_hidden()


def test_the_page_knows_the_moment_and_can_go_to_one(player: Player) -> None:
    player.open()
    taken = player.page.evaluate("""() => {
        const hear = ({ detail }) => { window.at = detail.at; };
        document.addEventListener("call:moment", hear);
        const told = { detail: { at: 12.5 }, cancelable: true };
        return !document.dispatchEvent(new CustomEvent("call:seek", told));
    }""")

    assert taken
    assert player.audio("mix", "currentTime") == 12.5
    assert player.page.evaluate("window.at") == 12.5
    assert player.page.locator("#player").get_attribute("data-at") == "12.50"
    assert player.audio("mix", "paused")


def test_the_list_of_keys_opens_and_keeps_them(player: Player) -> None:
    player.open()
    player.press("?")
    dialog = player.page.get_by_role("dialog", name="Keys of the player")
    expect(dialog).to_be_visible()
    player.press("l", " ")
    assert player.each("currentTime") == [0, 0, 0]
    box = player.page.get_by_label("Keys also work")
    if box.is_checked():
        box.uncheck()
    player.press("Escape")
    expect(dialog).to_be_hidden()

    # Outside the player, letters are the page's again; inside they are still keys.
    player.page.evaluate("document.activeElement.blur()")
    player.press("l")
    assert player.position == "0:00"
    player.lane("ada").locator(".wave").focus()
    player.press("l")
    assert player.position == "0:10"
    player.page.reload()
    player.await_ready()
    player.press("l")
    assert player.position == "0:00"


def test_a_button_reached_by_keyboard_is_pressed_by_space(player: Player) -> None:
    player.open()
    player.lane("ada").get_by_role("button", name="Mute Ada Okafor").focus()
    player.press(" ")

    assert player.each("muted") == [True, True, False]
    assert player.each("paused") == [True, True, True]


def test_remembers_how_somebody_listens(player: Player) -> None:
    player.open()
    player.page.locator("[data-speed='1.5']").click()
    player.press("s")
    player.page.get_by_label("Volume", exact=True).fill("0.4")
    player.page.reload()
    player.await_ready()

    assert player.audio("mix", "playbackRate") == 1.5
    assert player.audio("mix", "volume") == 0.4
    pressed = player.page.locator("[data-do=skip]").get_attribute("aria-pressed")
    assert pressed == "true"
    assert player.each("paused") == [True, True, True]


def test_offers_stereo_and_everything(player: Player) -> None:
    player.open()
    player.page.get_by_text("Downloads of the whole call").click()
    expect(player.page.locator("[name=left]")).to_have_value(player.facts["ada"])
    form = player.page.locator(".downloads form")
    with player.page.expect_download() as wav:
        form.get_by_role("button", name="WAV").click()
    assert wav.value.suggested_filename.endswith(".wav")
    with player.page.expect_download() as everything:
        player.page.get_by_text("Everything (zip)").click()
    assert everything.value.suggested_filename.endswith(".zip")


def test_the_others_play_on_when_one_cannot(player: Player) -> None:
    player.page.route(
        f"**/recordings/{player.facts['mix']}/audio",
        lambda route: route.fulfill(body=b"no audio", content_type="audio/flac"),
    )
    player.open()
    player.press(" ")
    fault = player.page.locator("#player .fault")
    expect(fault).to_have_text("Mix cannot be played.")
    # Without the mix, everybody is heard from their own track.
    player.await_time("ada", "t > 0.2")
    player.await_time("bob", "t > 0.2")
