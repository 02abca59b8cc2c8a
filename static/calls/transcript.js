/* The transcript on a call's page: captions while the call lasts, and then what was said
 * beside the player, word by word as it plays.
 */

import { Captions } from "./captions.js";
import { $, say } from "./dom.js";
import { fill, number, several, _ } from "./text.js";
import { askedMoment } from "./player_share.js";
import { Find } from "./transcript_find.js";
import { Follow } from "./transcript_follow.js";
import { Rows } from "./transcript_rows.js";

const root = $("transcript");
const NEWEST = 200; // of a call that runs
const AGAIN_MS = 5000;
const part = (name) => root.querySelector(`[data-what="${name}"]`);

const box = root.querySelector(".said-words");
const empty = root.querySelector(".empty");
const follow = new Follow(box, root.querySelector(".follow"));
const rows = new Rows(box, (row) => find.paint(row));
const find = new Find(root, rows, (row) => {
  follow.let();
  follow.show(row.node);
});
let captions = root.dataset.moving === "true" ? new Captions(rows) : null;
let { state } = root.dataset;
let hasFailed = false;
let loads = 0;
let hasOlder = false;
// A handler of the call may write down what is said, without transcription.
let hasHandler = false;

// --- what is shown ----------------------------------------------------------------

function emptyWords() {
  if (hasFailed) return _("The transcript could not be fetched. It is tried again.");
  if (state === "failed") return _("Transcription failed; the facts above say why.");
  if (!captions) return _("The call was transcribed, and nobody said a word.");
  if (state === "running") return _("Nobody has spoken yet. What is said appears here as it is said.");
  if (["requested", "stopping"].includes(state)) return _("Transcription is about to change.");
  if (hasHandler) return _("Transcription is off. What the call's handler writes down appears here.");
  return _("Transcription is off. Once it is started, what is said appears here.");
}

function countWords(length) {
  if (!length) return "";
  if (captions || !hasOlder) return several("%(n)s piece", "%(n)s pieces", length);
  return fill(_("the newest %(n)s pieces; older ones are in the files"), { n: number(length) });
}

function tell() {
  const { length } = rows;
  const isEmpty = !length && !captions?.guesses.size;
  empty.hidden = !isEmpty;
  say(empty, emptyWords());
  root.querySelector(".frame").hidden = isEmpty;
  root.querySelector(".exports").hidden = !length;
  say(part("count"), countWords(length));
  const isOff = captions && length && !hasHandler && !["running", "requested"].includes(state);
  say(part("state"), isOff ? _("transcription is off now") : "");
  follow.say(captions ? _("Jump to newest") : _("Follow playback"));
}

async function fetched() {
  const query = captions ? `?newest=${NEWEST}` : "";
  const answer = await fetch(`${root.dataset.url}${query}`, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`${answer.status}`);
  return answer.json();
}

async function load() {
  loads += 1;
  const turn = loads;
  let told;
  try {
    told = await fetched();
  } catch {
    if (turn !== loads) return undefined;
    hasFailed = true;
    tell();
    return void setTimeout(load, AGAIN_MS);
  }
  // A slow answer about the call that ran must not replace the whole.
  if (turn !== loads) return undefined;
  hasFailed = false;
  const { segments } = told;
  hasOlder = told.older;
  if (!captions && !segments.length && state === "off") return root.remove();
  if (captions) for (const segment of segments) rows.byId.has(segment.id) || rows.put(segment);
  else rows.fill(segments);
  tell();
  if (captions) {
    if (rows.length) follow.to(rows.list.lastElementChild, true);
    captions.begin();
  } else begin();
  root.classList.add("ready");
  return undefined;
}

/* A search led here: be at what was looked for. */
function begin() {
  const asked = new URLSearchParams(location.hash.slice(1)).get("words");
  const [, phrase, word] = asked?.match(/(?:^|\s)(?:"([^"]+)"|([^\s"-][^\s"*]*))/) ?? [];
  if (phrase ?? word) {
    find.ask(phrase ?? word, askedMoment() ?? 0);
    // The player is there, too: it is followed from there.
    follow.again();
  } else if (find.input.value) find.look();
  markMoment();
}

// --- the player -------------------------------------------------------------------

const seek = (at) => document.dispatchEvent(new CustomEvent("call:seek", { detail: { at }, cancelable: true }));

/* Mark what is heard, and keep it in sight. */
function markMoment() {
  const at = Number($("player")?.dataset.at);
  if (captions || !Number.isFinite(at)) return;
  const fresh = rows.mark(at);
  if (fresh) follow.to(fresh.node);
}

function watchPlayer() {
  const player = $("player");
  // The player writes there where it is, each time it draws.
  if (player) new MutationObserver(markMoment).observe(player, { attributeFilter: ["data-at"] });
}

// --- hands and keys ---------------------------------------------------------------

box.addEventListener("click", ({ target }) => {
  if (!target.closest("[data-word], .when") || captions) return;
  if (!getSelection().isCollapsed) return;
  const at = rows.momentOf(target);
  if (at === null) return;
  follow.again();
  seek(at);
});
box.addEventListener("keydown", (event) => {
  const row = rows.of(event.target);
  const by = { ArrowUp: -1, ArrowDown: 1, PageUp: -10, PageDown: 10 }[event.key];
  if (!row || !by || event.metaKey || event.ctrlKey || event.altKey) return;
  event.preventDefault();
  const next = rows.step(row, by) ?? (by < 0 ? rows.rows[0] : rows.rows.at(-1));
  follow.show(next.node);
  rows.focus(next);
});

// --- begin ------------------------------------------------------------------------

document.addEventListener("call:told", ({ detail }) => {
  if (!captions) return;
  state = detail.call.transcription ?? state;
  hasHandler = ["waiting", "running"].includes(detail.call.handler?.state);
  const isNew = captions.take(detail.captions ?? []);
  if (isNew && find.input.value) find.look();
  tell();
  if (isNew) follow.to(rows.list.lastElementChild, true);
});
document.addEventListener("call:archived", ({ detail: page }) => {
  // Without a section there is no transcript, and was to be none.
  state = page.getElementById("transcript")?.dataset.state ?? "off";
  captions?.end();
  root.dataset.moving = "false";
  captions = null;
  watchPlayer();
  load();
});
watchPlayer();
load();
