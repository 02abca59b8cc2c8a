/* The problem inbox: looks every few seconds, and is worked through by keyboard.
 *
 * The page is born with its first answer. Later ones come with a version, so that an
 * inbox in which nothing happens costs one small question and no answer.
 */

import { $, say } from "./dom.js";
import { perform, tell, undo } from "./inbox_acts.js";
import { showKeys } from "./inbox_dialogs.js";
import { filters, showChips } from "./inbox_filters.js";
import { fits } from "./inbox_row.js";
import { table } from "./inbox_table.js";
import { keysAreOff } from "./keys_off.js";
import { _, age, fill, number, several } from "./text.js";

const LOOK_MS = 2500;
const TICK_MS = 1000;
const PATIENCE_MS = 15000;
const STALE_S = 8;
const KEYS = [
  ["j k", _("next, previous problem")],
  ["Enter", _("open the call at the moment it is about")],
  ["a", _("acknowledge")],
  ["e", _("assign: type a name, Enter")],
  ["c", _("close: choose a reason by 1–5, Enter")],
  ["u", _("undo what you did last, or open again")],
  ["x", _("choose for all of these at once")],
  ["X", _("choose all of the same call")],
  ["Esc", _("choose none")],
  ["/", _("search")],
  ["?", _("these keys")],
];

const read = (id) => JSON.parse($(id).textContent);
const rights = read("inbox-rights");
const base = document.title;
const rows = table({ choose: rights.handle, handle: rights.handle, withCall: true }, chose);
const wanted = filters(() => look({ isOther: true }));

let version = "";
let asked = 0;
let timer = 0;
let skew = 0;
let seen = Date.now();
let known = null;

const now = () => Date.now() / 1000 + skew;

// --- what is ----------------------------------------------------------------------

function show(found, { isNew }) {
  skew = found.now - Date.now() / 1000;
  known = found;
  const gone = new Map(found.gone.map((one) => [one.id, one.words]));
  rows.show(found.rows, { now: now(), isNew, gone });
  showChips(found.chips, found.call);
  $("inbox-table").hidden = !found.rows.length;
  empty(found);
  pages(found);
  const open = found.chips.state.find((chip) => chip.value === "open").count;
  document.title = open ? `(${number(open)}) ${base}` : base;
}

function empty(found) {
  const box = $("inbox-empty");
  box.hidden = found.rows.length > 0;
  if (found.rows.length) return;
  const filtered = wanted.isFiltered();
  say(box.querySelector("h2"), filtered ? _("Nothing matches") : _("Nothing needs you."));
  const last = found.last_closed
    ? fill(_("Last problem closed %(at)s."), { at: found.last_closed })
    : _("Problems of live calls and of the last 24 hours appear here by themselves.");
  say(box.querySelector("p"), filtered ? "" : last);
  $("inbox-all").hidden = !filtered;
}

function pages(found) {
  $("inbox-pages").hidden = found.pages < 2;
  const last = found.first + found.rows.length - 1;
  const words = _("%(first)s–%(last)s of %(total)s");
  say($("inbox-range"), fill(words, { first: number(found.first), last: number(last), total: number(found.total) }));
  $("inbox-before").disabled = found.page <= 1;
  $("inbox-after").disabled = found.page >= found.pages;
}

function turn(by) {
  wanted.put("page", String(known.page + by));
  scrollTo({ top: 0 });
}

async function look({ isOther = false } = {}) {
  clearTimeout(timer);
  const mine = ++asked;
  const headers = { Accept: "application/json" };
  if (!isOther && version) headers["If-None-Match"] = version;
  try {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const answer = await fetch(`/alarms/inbox.json?${wanted.text()}`, { headers, signal, cache: "no-store" });
    // Another question is on its way: what it is told is newer.
    if (mine !== asked) return;
    if (answer.ok) {
      version = answer.headers.get("ETag") ?? "";
      const found = await answer.json();
      if (mine !== asked) return;
      show(found, { isNew: !isOther });
    }
    if (answer.ok || answer.status === 304) seen = Date.now();
    else if (answer.status === 403) down(_("You are signed out, or may not see problems: reload the page."));
    else down(fill(_("The console answered %(status)s."), { status: answer.status }));
  } catch {
    if (mine !== asked) return;
    down(_("The console cannot be reached."));
  }
  again();
}

function again() {
  clearTimeout(timer);
  if (!document.hidden) timer = setTimeout(look, LOOK_MS);
}

let fault = _("The console does not answer.");
function down(words) {
  fault = words;
}

function tick() {
  rows.tick(now());
  const old = (Date.now() - seen) / 1000;
  $("inbox-banner").hidden = document.hidden || old < STALE_S;
  say($("inbox-fault"), fault);
  say($("inbox-age"), fill(_("What you see is %(age)s old."), { age: age(old) }));
}

// --- what staff do ----------------------------------------------------------------

function chose() {
  const chosen = rows.chosen();
  const bar = $("inbox-bulk");
  if (!bar) return;
  bar.hidden = !chosen.length;
  say($("inbox-chosen"), several("%(n)s chosen", "%(n)s chosen", chosen.length));
  for (const button of bar.querySelectorAll("[data-act]")) {
    button.disabled = !chosen.some((alarm) => fits(button.dataset.act, alarm));
  }
  const all = $("inbox-choose-all");
  all.checked = chosen.length > 0 && chosen.length === rows.all().length;
  all.indeterminate = chosen.length > 0 && !all.checked;
}

/* The chosen ones; without any, the one that is current. */
async function act(name, alarms = targets()) {
  if (!rights.handle) {
    tell(_("You may look, but not handle problems."), { tone: "bad" });
    return;
  }
  await perform(name, alarms, look);
}

function targets() {
  const chosen = rows.chosen();
  if (chosen.length) return chosen;
  return rows.current() ? [rows.current()] : [];
}

async function back() {
  if (!rights.handle || !(await undo(look))) await act("reopen");
}

function open() {
  const { jump } = rows.current() ?? {};
  if (jump) location.assign(jump);
  else if (rows.current()) tell(_("It is about no call."));
}

const COMMANDS = {
  j: () => rows.step(1),
  k: () => rows.step(-1),
  a: () => act("acknowledge"),
  e: () => act("assign"),
  c: () => act("close"),
  u: back,
  x: () => rows.current() && rights.handle && rows.choose(rows.current().id, !rows.isChosen(rows.current().id)),
  X: () => rights.handle && rows.chooseAll(true, (alarm) => alarm.call && alarm.call.id === rows.current()?.call?.id),
  "/": () => $("inbox-search").focus(),
  "?": () => showKeys(KEYS),
  Escape: () => rows.chooseAll(false),
  Enter: open,
};

function isTyping(target) {
  return Boolean(target.closest("input:not([type=checkbox]), textarea, select, dialog, [contenteditable]"));
}

document.addEventListener("keydown", (event) => {
  const { key, target } = event;
  if (event.metaKey || event.ctrlKey || event.altKey) return;
  if (target === $("inbox-search") && (key === "Escape" || key === "Enter")) {
    event.preventDefault();
    target.blur();
    rows.step(0);
    return;
  }
  if (isTyping(target) || keysAreOff(event)) return;
  // Enter on a link or a button is theirs.
  if (key === "Enter" && !target.matches("tr, body")) return;
  if (!COMMANDS[key]) return;
  event.preventDefault();
  COMMANDS[key]();
});

$("inbox-rows").addEventListener("click", (event) => {
  const row = event.target.closest("tr");
  const alarm = rows.alarmOf(row);
  if (!alarm) return;
  const button = event.target.closest("[data-act]");
  const more = event.target.closest(".inbox-more");
  if (button) act(button.dataset.act, [alarm]);
  else if (more) wanted.put("call", more.dataset.call);
  else if (!event.target.closest("a, label")) rows.go(alarm.id);
});
$("inbox-bulk")?.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  if (button) act(button.dataset.act, rows.chosen());
  else if (event.target.closest("#inbox-choose-none")) rows.chooseAll(false);
});
$("inbox-choose-all")?.addEventListener("change", (event) => rows.chooseAll(event.target.checked));
$("inbox-keys").addEventListener("click", () => showKeys(KEYS));
$("inbox-all").addEventListener("click", () => wanted.clear());
$("inbox-call").addEventListener("click", () => wanted.put("call", ""));
$("inbox-before").addEventListener("click", () => turn(-1));
$("inbox-after").addEventListener("click", () => turn(1));
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));

show(read("inbox-first"), { isNew: false });
if (!wanted.text().includes("page=")) rows.step(0);
setInterval(tick, TICK_MS);
again();
