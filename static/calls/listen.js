/* Listening to a live call. It plays what the server sends; it never records or speaks. */

import { $, isTaken, mark, say } from "./dom.js";
import { Bar } from "./listen_bar.js";
import { ENDED, FORBIDDEN, NOT_NOTED } from "./close_codes.js";
import { Link } from "./listen_link.js";
import { People } from "./listen_people.js";
import { Sound } from "./listen_sound.js";
import { keysAreOff } from "./keys_off.js";
import { _, clock, fill, number, several } from "./text.js";

const root = $("listen");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
const BACK_SECONDS = 10;
const SAY_MS = 250;
const HUSH_MS = 1000;
/* Further behind than this is not live. */
const LIVE_SECONDS = 1;

let sound = null;
let link = null;
let generation = 0;
let report = null;
let origin = null;
let edge = { at: 0, told: null, runs: false };
let latency = null;
let missed = 0;
let fault = null;
let goal = { at: null };
let timer = null;

const people = new People(part("people"), (track, gain) => sound?.tell({ type: "gain", track, gain }));
const bar = new Bar(part("bar"), (seconds) => go(seconds));

function status(text, tone = "") {
  say(part("status"), text);
  mark(part("status"), "tone", tone);
}

// --- begin and end ------------------------------------------------------------------

export async function listen(at = null) {
  goal = { at };
  // A second press while the first still waits for the sound card begins nothing.
  if (sound || root.dataset.state === "starting") return;
  mark(root, "state", "starting");
  status(_("Connecting …"));
  try {
    sound = await Sound.open(root.dataset.worklet, heardNow);
  } catch (error) {
    mark(root, "state", "idle");
    status(fill(_("This browser cannot play audio: %(why)s"), { why: error.message }), "bad");
    return;
  }
  sound.tell({ type: "master", gain: Number(part("volume").value) });
  missed = 0;
  fault = null;
  link = new Link(root.dataset.socket, { told, heard, changed });
  timer = setInterval(tick, SAY_MS);
}

export function stop(words = _("You stopped listening."), tone = "") {
  clearInterval(timer);
  link?.close();
  sound?.close();
  [sound, link, report, latency] = [null, null, null, null];
  people.clear();
  mark(root, "state", "idle");
  status(words, tone);
  show();
}

function go(seconds) {
  goal = { at: seconds };
  if (!sound) {
    listen(seconds);
    return;
  }
  ask("seek");
}

function ask(type) {
  fault = null;
  generation += 1;
  report = null;
  sound.tell({ type: "go", generation, at: goal.at });
  link.say({ type, at: goal.at, generation });
  show();
}

// --- what the server says -------------------------------------------------------------

function changed(state, code) {
  if (state === "open") {
    people.clear();
    // After a break it goes on where one was, or at the live edge.
    ask("start");
    mark(root, "state", "listening");
    status(_("You are listening. Nobody can hear you."), "good");
  } else if (state === "lost") {
    mark(root, "state", "starting");
    if (report?.playhead && !report.following) goal = { at: report.playhead };
    status(_("The connection broke. Trying again …"), "bad");
  } else if (state === "closed") {
    stop(...(ends[code]?.() ?? [_("Listening ended."), ""]));
  }
}

const ends = {
  [ENDED]: () => {
    part("ended").hidden = false;
    return [_("The call has ended."), ""];
  },
  [FORBIDDEN]: () => [_("You may no longer listen."), "bad"],
  [NOT_NOTED]: () => [_("Listening must be noted in the audit log, and that fails. Nobody can listen now."), "bad"],
};

const faults = {
  no_answer: () => _("The recorder does not answer. Waiting for it …"),
  redis: () => _("Redis does not answer: nothing can be heard. Recording goes on."),
  nothing_there: () => _("The beginning is not on a node that answers. Here is what is said now."),
};

function told(message) {
  switch (message.type) {
    case "facts":
    case "state":
      state(message);
      break;
    case "track":
      people.add(message.track);
      break;
    case "live":
      sound?.tell({ type: "join", generation: message.generation });
      break;
    case "listeners":
      document.dispatchEvent(new CustomEvent("listeners", { detail: message.users }));
      break;
    case "missed":
      missed += message.messages ?? 1;
      break;
    case "error":
      if (faults[message.error]) fault = { of: message.error, words: faults[message.error]() };
      break;
  }
}

function state(message) {
  origin = message.origin;
  edge = { at: message.edge ?? edge.at, told: performance.now(), runs: message.quiet !== null && message.quiet < 2 };
  let words = "";
  if (message.redis) words = faults.redis();
  else if (message.streaming !== "streaming") words = fill(_("Streaming: %(state)s. Nothing is said here until it goes on."), { state: message.streaming_words });
  else if (message.type === "state" && (message.quiet === null || message.quiet > 3)) words = _("No recorder says anything of this call at the moment.");
  say(part("trouble"), words);
}

function heard(buffer, frames) {
  // Sound comes again; but where nothing was recorded there is nothing still.
  if (fault && fault.of !== "nothing_there") fault = null;
  for (const { start, samples, rate } of frames) {
    const end = (start + samples) / rate;
    if (end > edgeNow()) edge = { at: end, told: performance.now(), runs: true };
  }
  sound?.frames(buffer);
}

/* Where the call is now, in its own seconds: as told, and as time has gone by since. */
function edgeNow() {
  // Before anybody was asked: by the clock, as if the call had gone on all the time.
  if (edge.told === null && root.dataset.origin) return Math.max(0, Date.now() / 1000 - Number(root.dataset.origin) / 1e6);
  if (edge.told === null || !edge.runs) return edge.at;
  return edge.at + Math.min((performance.now() - edge.told) / 1000, 6);
}

// --- what is heard ------------------------------------------------------------------

function heardNow(now) {
  if (now.generation !== generation) return;
  report = now;
  people.show(now.peaks);
  const server = link?.now();
  latency = !now.waiting && server && origin !== null ? server - (origin + now.playhead) + sound.delay : null;
}

function tick() {
  if (report && report.playhead !== null) link?.say({ type: "at", at: report.playhead, messages: link.messages });
  show();
}

function show() {
  const playhead = report?.playhead ?? goal.at;
  const end = edgeNow();
  bar.show(sound ? playhead : null, end);
  const behind = playhead === null || playhead === undefined ? 0 : end - playhead;
  const isLive = Boolean(sound) && (report ? report.following : goal.at === null);
  mark(root, "edge", isLive);
  say(part("now"), sound && playhead !== null ? clock(playhead) : "–");
  say(part("edge"), clock(end));
  const isSeeking = Boolean(sound) && !isLive && report?.waiting !== false;
  say(part("behind"), !sound ? "" : isSeeking ? _("Finding the place …") : isLive ? _("Live") : fill(_("%(behind)s behind live"), { behind: clock(Math.max(0, behind)) }));
  say(part("latency"), latency !== null && isLive ? fill(_("%(ms)s ms after it was said"), { ms: number(Math.round(latency * 1000)) }) : "");
  say(part("faults"), faultWords());
  part("jump").disabled = !sound || isLive;
  say(part("jump-label"), isLive ? _("Live") : _("Jump to live"));
  for (const button of root.querySelectorAll("[data-speed]")) {
    button.disabled = !sound || isLive;
    button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === (isLive ? 1 : (report?.speed ?? 1))));
  }
  const label = sound ? _("Stop listening") : _("Listen");
  say(part("label"), label);
}

function faultWords() {
  const words = [];
  if (report?.underruns) words.push(several("%(n)s interruption", "%(n)s interruptions", report.underruns));
  if (missed) words.push(several("%(n)s piece was not received", "%(n)s pieces were not received", missed));
  if (report?.skipped > 0.1) words.push(fill(_("%(s)s s left out"), { s: report.skipped.toFixed(1) }));
  if (fault) words.push(fault.words);
  return words.join(", ");
}

// --- controls -----------------------------------------------------------------------

function back() {
  const from = report?.playhead ?? goal.at ?? edgeNow();
  go(Math.max(0, from - BACK_SECONDS));
}

const toggle = () => (sound ? stop() : listen());
part("listen").onclick = toggle;
part("back").onclick = back;
part("jump").onclick = () => go(null);
part("volume").oninput = (event) => sound?.tell({ type: "master", gain: Number(event.target.value) });
for (const button of root.querySelectorAll("[data-speed]")) {
  button.onclick = () => {
    sound?.tell({ type: "speed", speed: Number(button.dataset.speed) });
    if (report) report.speed = Number(button.dataset.speed);
    show();
  };
}

document.addEventListener("keydown", (event) => {
  if (!root.isConnected || isTaken(event) || event.repeat || keysAreOff(event)) return;
  const does = { l: toggle, j: back, End: () => go(null) }[event.key];
  if (!does || (!sound && does !== toggle)) return;
  event.preventDefault();
  does();
});

addEventListener("pagehide", () => sound && stop());

/* What was said last is still on its way to be heard here. */
let hushing = null;
document.addEventListener("speaking", ({ detail: isSpeaking }) => {
  clearTimeout(hushing);
  if (isSpeaking) people.hush(true);
  else hushing = setTimeout(() => people.hush(false), HUSH_MS);
});

/* ?t=192 offers to begin there; #listen puts the button at hand. Nothing starts alone. */
const asked = Number.parseFloat(new URLSearchParams(location.search).get("t"));
if (Number.isFinite(asked) && asked >= 0) {
  const offer = part("from");
  offer.hidden = false;
  say(part("from-label"), fill(_("Listen from %(at)s"), { at: clock(asked) }));
  offer.onclick = () => go(asked);
}
if (location.hash === "#listen") {
  // Once the browser itself has gone to the anchor, which takes the focus away.
  const focus = () => requestAnimationFrame(() => (part("from").hidden ? part("listen") : part("from")).focus());
  if (document.readyState === "complete") focus();
  else addEventListener("load", focus);
}
show();

setInterval(() => sound || show(), 1000);
