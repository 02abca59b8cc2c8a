/* Push-to-talk: a live call hears the microphone while a button or Space is held.
 *
 * The microphone is off until the first press, and off again soon after the last. What
 * stops it always: letting go, Escape, another window, a hidden page, a lost socket.
 */

import { $, mark, say } from "./dom.js";
import { ENDED, FORBIDDEN } from "./close_codes.js";
import { Link } from "./listen_link.js";
import { listenToHolds } from "./talk_hold.js";
import { Meter } from "./talk_meter.js";
import { Microphone, denialWords, whyNone } from "./talk_microphone.js";
import { Press } from "./talk_press.js";
import { outcome, reason } from "./talk_words.js";
import { _, clock, fill, number } from "./text.js";

const root = $("talk");
const part = (name) => root.querySelector(`[data-part="${name}"]`);
/* So soon after one press, the next begins without waiting for the device. */
const KEEP_ON_MS = 30_000;
const PRESSES = 2 ** 16;

let link = null;
let facts = null;
let other = null;
let microphone = null;
let asked = null;
let press = null;
let presses = 0;
/* What holds it: "space", "button", "latch"; null: nothing. */
let holder = null;
/* What is held again before the server has closed the last press. */
let next = null;
let openedAt = null;
let wasHeard = false;
let idle = null;
/* What the last press came to, until the next. */
let verdict = null;

const meter = new Meter(part("level"));

function status(text, tone = "") {
  say(part("status"), text);
  mark(part("status"), "tone", tone);
}

/* Why nobody can speak now; empty: one can. */
function cannot() {
  const none = whyNone();
  if (none) return none;
  if (!facts) return _("Connecting …");
  if (facts.why) return reason(facts.why, { streaming: facts.streaming_words });
  return other ? reason("taken", { user: other }) : "";
}

function show() {
  const why = cannot();
  const isHeard = Boolean(press?.isOpen);
  if (isHeard !== wasHeard) document.dispatchEvent(new CustomEvent("speaking", { detail: isHeard }));
  wasHeard = isHeard;
  mark(root, "can", !why);
  mark(root, "phase", press ? (isHeard ? "open" : "opening") : asked ? "asking" : "idle");
  mark(root, "microphone", microphone ? "on" : "off");
  for (const name of ["hold", "latch"]) part(name).setAttribute("aria-disabled", String(Boolean(why)));
  part("latch").setAttribute("aria-pressed", String(holder === "latch"));
  part("interrupts-label").hidden = !facts?.may_interrupt;
  say(part("microphone"), isHeard ? _("Microphone on") : microphone ? _("Microphone on; nobody hears you") : _("Microphone off"));
  left();
}

function left() {
  const seconds = press?.isOpen && facts ? facts.longest - (performance.now() - openedAt) / 1000 : null;
  say(part("left"), seconds === null ? "" : fill(_("%(left)s left"), { left: clock(Math.ceil(Math.max(0, seconds))) }));
}

/* What one sees when nothing is under way. */
function rest() {
  if (press || asked) return;
  const why = cannot();
  if (why) status(why, facts?.why || whyNone() ? "bad" : "");
  else if (verdict) status(...verdict);
  else status(_("Nobody hears you. Hold the button or Space to speak; it is noted in the audit log."));
}

// --- begin and end ----------------------------------------------------------------------

async function begin(by) {
  if (holder || cannot()) return;
  if (press) {
    next = by;
    return;
  }
  holder = by;
  verdict = null;
  clearTimeout(idle);
  say(part("heard"), "");
  if (microphone?.rate !== facts.rate && !(await turnOn())) return;
  // Pressed twice meanwhile: the other has begun.
  if (press) return;
  // Let go while the browser asked for leave, or for the device: nobody expects to be heard now.
  if (holder !== by || cannot()) return ready();
  presses = (presses + 1) % PRESSES;
  const said = { number: presses, rate: facts.rate, interrupts: !part("interrupts-label").hidden && part("interrupts").checked };
  press = new Press(link, said, () => stop(reason("slow")));
  microphone.gate(true);
  status(_("One moment …"));
  show();
}

function ready() {
  status(_("The microphone is on; nobody hears you. Hold the button or Space to speak."));
  keepOn();
  show();
}

/* Open the microphone, once however often it is asked for; say whether it is on. */
async function turnOn() {
  turnOff();
  status(_("Waiting for the microphone …"));
  try {
    asked ??= Microphone.open(root.dataset.worklet, facts.rate, { framed, level, closed: () => press?.said(), lost });
    show();
    microphone = await asked;
  } catch (fault) {
    holder = null;
    verdict = [denialWords(fault), "bad"];
    status(...verdict);
  } finally {
    asked = null;
    show();
  }
  return Boolean(microphone);
}

function turnOff() {
  microphone?.close();
  microphone = null;
  meter.clear();
}

function keepOn() {
  clearTimeout(idle);
  idle = setTimeout(() => {
    // Whoever speaks keeps it on; the end of the press begins this anew.
    if (press || holder) return;
    turnOff();
    rest();
    show();
  }, KEEP_ON_MS);
}

/* Let go: what was said until now is still heard. */
function release(by = null) {
  if (!by || next === by) next = null;
  if (!holder || (by && holder !== by)) return;
  holder = null;
  microphone?.gate(false);
  press?.ending();
  show();
}

/* Nothing more is heard, whatever is held. */
function stop(words, tone = "bad") {
  const again = next;
  holder = next = null;
  microphone?.gate(false);
  press?.said();
  press = null;
  verdict = [words, tone];
  keepOn();
  show();
  rest();
  if (again && !tone) begin(again);
}

function lost() {
  stop(reason("unplugged"));
  turnOff();
  show();
}

function framed(samples, peak) {
  level(peak);
  press?.frame(samples, peak);
}

function level(peak) {
  meter.show(peak);
}

// --- what the server says -----------------------------------------------------------------

function changed(state, code) {
  if (state === "lost") {
    facts = null;
    if (press || holder) stop(reason("lost"));
    show();
    rest();
  } else if (state === "closed") {
    facts = { ...facts, why: { [FORBIDDEN]: "forbidden", [ENDED]: "ended" }[code] ?? "lost" };
    stop(reason(facts.why));
    turnOff();
    show();
  }
}

const onAir = () => status(_("Everyone in the call hears you."), "air");

const tells = {
  facts: state,
  state,
  talker: ({ user, you }) => {
    other = you ? null : user;
    document.dispatchEvent(new CustomEvent("talker", { detail: user }));
    show();
    rest();
  },
  open: (message) => {
    // It was stopped here while the server was asked.
    if (message.press !== press?.number) return void link.say({ type: "release", press: message.press });
    openedAt = performance.now();
    press.open();
    show();
    onAir();
    document.dispatchEvent(new CustomEvent("talker", { detail: root.dataset.user }));
  },
  refused: (message) => {
    if (message.press !== press?.number) return;
    other = message.user ?? other;
    stop(reason(message.why, { user: message.user, streaming: facts?.streaming_words }));
  },
  closed: (message) => {
    document.dispatchEvent(new CustomEvent("talker", { detail: null }));
    if (message.press !== press?.number) return;
    const spoke = fill(_("You spoke for %(s)s s. Nobody hears you now."), { s: number(message.seconds, 1) });
    if (message.why === "released") stop(spoke, "");
    else stop(reason(message.why, { longest: facts?.longest, streaming: facts?.streaming_words }));
  },
  dropped: () => {
    say(part("heard"), _("Something of what you say comes faster than it can be said, and is left out."));
    mark(part("heard"), "tone", "bad");
  },
  heard: (message) => {
    if (message.press !== presses) return;
    const [words, tone] = outcome(message);
    say(part("heard"), words);
    mark(part("heard"), "tone", tone);
    if (press?.isOpen && message.state === "queued") status(_("Nobody hears you yet."), "bad");
    else if (press?.isOpen && message.state === "playing") onAir();
  },
};

function state(message) {
  const before = cannot();
  facts = message;
  show();
  if (cannot() !== before) rest();
}

// --- controls -----------------------------------------------------------------------------

listenToHolds({ root, hold: part("hold"), latch: part("latch") }, {
  begin,
  release,
  can: () => !cannot(),
  holds: () => holder,
});

const quiet = () => (holder || press) && release();
addEventListener("blur", quiet);
addEventListener("pagehide", () => {
  quiet();
  turnOff();
});
document.addEventListener("visibilitychange", () => document.hidden && quiet());

if (whyNone()) rest();
else link = new Link(root.dataset.socket, { told: (message) => tells[message.type]?.(message), heard: () => {}, changed });
show();
setInterval(left, 250);
