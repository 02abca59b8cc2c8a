/* Plays a call: the mix, or speakers by themselves, aligned to the call's clock.
 *
 * This file brings the parts together; each part has a file of its own. Without it, or
 * without the waveform library, the plain <audio> elements of the page play all the same.
 */

import { say } from "./dom.js";
import { Engine, SPEEDS } from "./player_engine.js";
import { laneOf, tellLanes, tellSliders, Waves } from "./player_lanes.js";
import { listenToKeys } from "./player_keys.js";
import { Markers, markersOf } from "./player_markers.js";
import { Mixer } from "./player_mixer.js";
import { peaksOf, secondsOf, silences } from "./player_peaks.js";
import { kept, keep } from "./player_memory.js";
import { askedMoment, share } from "./player_share.js";
import { hovering, pressing, View, wallClock } from "./player_view.js";
import { clock, fill, _ } from "./text.js";

const root = document.getElementById("player");
const tracks = JSON.parse(document.getElementById("player-tracks").textContent);
const transport = root.querySelector(".console-transport");
const help = root.querySelector("dialog");
const fault = root.querySelector(".fault");
const said = root.querySelector(".said");
const total = Math.max(...tracks.map((track) => track.offset + track.seconds));
const find = (what) => transport.querySelector(`[data-do="${what}"]`);

const lanes = tracks.map((track) => laneOf(root, track));
const speakers = lanes.filter((lane) => !lane.track.mix);
const engine = new Engine(lanes, total, { changed: show, moved: move, failed });
const mixer = new Mixer(lanes, () => {
  engine.follow();
  show();
});
const view = new View(root, total, place);
const waves = new Waves(root, lanes, view);
const markers = new Markers(root, lanes, view, engine);

// --- what is shown ----------------------------------------------------------------

function show() {
  if (!root.classList.contains("ready")) return;
  const { playing, loop } = engine;
  const toggle = find("toggle");
  toggle.firstElementChild.textContent = playing ? "pause" : "play_arrow";
  toggle.setAttribute("aria-label", playing ? _("Pause") : _("Play"));
  for (const button of transport.querySelectorAll("[data-speed]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === engine.speed));
  }
  find("skip").setAttribute("aria-pressed", String(engine.isSkipping));
  find("mute").setAttribute("aria-pressed", String(mixer.isMuted));
  find("mute").firstElementChild.textContent = mixer.isMuted ? "volume_off" : "volume_up";
  find("all").setAttribute("aria-pressed", String(mixer.isApart));
  for (const end of ["a", "b"]) {
    find(end).setAttribute("aria-pressed", String(loop[end] !== null));
  }
  find("clear").disabled = loop.a === null && loop.b === null;
  tellLanes(mixer, lanes);
  waves.colour();
  placeLoop();
}

function move() {
  const { position: at } = engine;
  const second = transport.querySelector(".time b");
  const isNew = second.textContent !== clock(at);
  say(second, clock(at));
  // Whoever notes something about the call asks which moment it is at.
  root.dataset.at = at.toFixed(2);
  if (isNew) document.dispatchEvent(new CustomEvent("call:moment", { detail: { at } }));
  view.followTo(at);
  tellSliders(lanes, engine.position, total);
}

function place() {
  waves.draw();
  markers.place();
  placeLoop();
  view.place(view.head, engine.position);
  for (const [node, [from, to]] of quietMarks) view.place(node, from, to - from);
}

function placeLoop() {
  const { a, b } = engine.loop;
  const looped = root.querySelector(".looped");
  looped.hidden = a === null && b === null;
  looped.dataset.open = a === null ? "b" : b === null ? "a" : "";
  const from = a ?? b ?? 0;
  view.place(looped, from, (b ?? a ?? 0) - from);
}

function tell(text) {
  said.textContent = "";
  // Said again, the same words would not be read again.
  requestAnimationFrame(() => { said.textContent = text; });
}

function failed(error, lane) {
  if (lane && error.name !== "NotAllowedError") return broken(lane);
  engine.pause();
  fault.textContent = error.name === "NotAllowedError"
    ? _("The browser did not allow it to play.")
    : _("The recording cannot be played.");
}

/* The others play on without it. */
function broken(lane) {
  if (lane.isBroken) return;
  lane.isBroken = true;
  lane.row.classList.add("broken");
  mixer.apply();
  fault.textContent = fill(_("%(who)s cannot be played."), { who: lane.track.label });
  if (lanes.every((one) => one.isBroken)) failed(new Error("media"));
}

// --- silence ----------------------------------------------------------------------

const quietMarks = [];

function listenForSilence(peaks) {
  const known = speakers.length ? speakers : lanes;
  const of = known.map((lane) => peaks[lanes.indexOf(lane)]);
  const skip = find("skip");
  if (of.some((one) => !one)) {
    skip.disabled = true;
    skip.title = _("Not known where nobody speaks: waveforms are missing.");
    engine.setSkipping(false);
    return;
  }
  engine.quiet = silences(known.map(({ track }) => track), of, total);
  const saved = secondsOf(engine.quiet);
  say(skip.querySelector(".saves"), fill(_("saves %(time)s"), { time: clock(saved) }));
  for (const span of engine.quiet.slice(0, 1000)) {
    const mark = document.createElement("i");
    mark.className = "quiet";
    view.over.append(mark);
    quietMarks.push([mark, span]);
  }
  place();
}

async function draw() {
  const peaks = await Promise.all(tracks.map((track) => peaksOf(track).catch(() => null)));
  listenForSilence(peaks);
  if (root.dataset.wavesurfer) await waves.load(root.dataset.wavesurfer, peaks);
}

// --- hands and keys ---------------------------------------------------------------

function remember() {
  keep({ speed: engine.speed, isSkipping: engine.isSkipping, volume: mixer.volume });
}

const speed = (steps) => () => {
  engine.faster(steps);
  tell(fill(_("Speed %(speed)s"), { speed: `${engine.speed}×` }));
  remember();
};
const loopEnd = (end) => () => {
  engine.setLoop(end);
  const { a, b } = engine.loop;
  const words = engine.isLooping ? _("Looping %(a)s to %(b)s") : end === "a" ? _("Loop from %(a)s") : _("Loop to %(b)s");
  tell(fill(words, { a: clock(a ?? 0), b: clock(b ?? 0) }));
};
const focusedLane = () => lanes.find(({ row }) => row.contains(document.activeElement));
const doing = {
  toggle: () => {
    if (!lanes.some((lane) => lane.isBroken)) fault.textContent = "";
    engine.toggle();
  },
  back: () => engine.seek(engine.position - 10),
  forward: () => engine.seek(engine.position + 10),
  all: () => mixer.apart(),
  mute: () => mixer.muteAll(),
  skip: () => {
    engine.setSkipping(!engine.isSkipping && !find("skip").disabled);
    tell(engine.isSkipping ? _("Silence is skipped.") : _("Silence is played."));
    remember();
  },
  a: loopEnd("a"),
  b: loopEnd("b"),
  clear: () => {
    engine.clearLoop();
    tell(_("No loop."));
  },
  closer: () => view.zoom(2, engine.position),
  farther: () => view.zoom(0.5, engine.position),
  whole: () => view.show(0, total),
  share: async () => tell(await share(root, engine.position)),
  help: () => help.showModal(),
};

root.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.do) doing[button.dataset.do]?.();
  if (button?.dataset.speed) {
    engine.setSpeed(Number(button.dataset.speed));
    remember();
  }
  const lane = lanes.find(({ row }) => row.contains(button));
  if (button?.dataset.lane === "mute") mixer.mute(lane);
  if (button?.dataset.lane === "solo") mixer.solo(lane);
  if (button?.dataset.lane === "mix") mixer.everybody();
});
root.addEventListener("input", ({ target }) => {
  const lane = lanes.find(({ row }) => row.contains(target));
  if (target.dataset.lane === "volume") mixer.setVolume(lane, Number(target.value));
  if (target.dataset.do === "volume") mixer.setMaster(Number(target.value));
  if (target.dataset.do === "keys") keep({ hasKeys: target.checked });
});
root.addEventListener("change", remember);

function mute() {
  const lane = focusedLane();
  if (!lane || lane.track.mix) mixer.muteAll();
  else mixer.mute(lane);
}

function solo({ key }) {
  const lane = speakers[Number(key) - 1];
  if (!lane) return;
  mixer.solo(lane);
  tell(lane.isSolo ? fill(_("Only %(who)s"), { who: lane.track.label }) : _("Everybody"));
}

function stepMarker(direction) {
  const marker = markers.step(direction);
  if (marker) tell(`${clock(marker.at)} ${marker.label}`);
}

const by = (seconds) => () => engine.seek(engine.position + seconds);
const keys = {
  " ": doing.toggle,
  j: doing.back,
  l: doing.forward,
  ArrowLeft: by(-5),
  ArrowRight: by(5),
  Home: () => engine.seek(0),
  End: () => engine.seek(total),
  ",": speed(-1),
  ".": speed(1),
  m: mute,
  s: doing.skip,
  0: () => mixer.everybody(),
  a: doing.a,
  "[": doing.a,
  b: doing.b,
  "]": doing.b,
  c: doing.clear,
  "+": doing.closer,
  "=": doing.closer,
  "-": doing.farther,
  n: () => stepMarker(1),
  p: () => stepMarker(-1),
  "?": doing.help,
};
for (let number = 1; number <= 9; number += 1) keys[number] = solo;

// --- begin ------------------------------------------------------------------------

for (const lane of lanes) lane.audio.addEventListener("error", () => broken(lane));
transport.hidden = false;
for (const part of root.querySelectorAll(".ruler, .over, .who-controls, [data-lane=mix]")) part.hidden = false;
root.classList.add("ready");
find("all").hidden = speakers.length < 2 || !mixer.mix;
say(transport.querySelector(".time span"), clock(total));

const { speed: before, isSkipping, volume, hasKeys } = kept();
engine.setSpeed(SPEEDS.includes(before) ? before : 1);
engine.setSkipping(isSkipping === true);
mixer.setMaster(volume >= 0 && volume <= 1 ? volume : 1);
find("volume").value = mixer.volume;
const keysBox = help.querySelector("[data-do=keys]");
keysBox.checked = hasKeys !== false;

listenToKeys(keys, root, () => keysBox.checked);
const lanesBox = root.querySelector(".lanes");
hovering(view, lanesBox, wallClock(Number(root.dataset.origin), root.dataset.zone));
pressing(view, lanesBox, engine);
view.show(0, total);
move();

// Somebody shared a moment: the player is ready there, and quiet.
const asked = askedMoment();
if (asked !== null) {
  engine.seek(asked);
  root.scrollIntoView({ block: "center" });
  lanes[0].wave.focus({ preventScroll: true });
  tell(fill(_("Ready at %(at)s."), { at: clock(engine.position) }));
}

// A link on this page to a moment of the call leads here.
document.addEventListener("call:seek", (event) => {
  event.preventDefault();
  engine.seek(event.detail.at);
  root.scrollIntoView({ block: "nearest" });
});

// Light to dark and back while the page is open.
new MutationObserver(() => waves.colour()).observe(document.documentElement, { attributeFilter: ["class"] });
draw().catch((error) => console.warn("no waveform:", error));
markersOf(root.dataset.markers).then((found) => markers.show(found), () => {});
