/* The alarms of one call, on its page: the same rows and acts as in the inbox. */

import { $, say } from "./dom.js";
import { perform } from "./inbox_acts.js";
import { fillRow, makeRow, tickRow } from "./inbox_row.js";
import { several } from "./text.js";

const LOOK_MS = 3000;
const IDLE_MS = 15000;
const TICK_MS = 1000;

const root = $("call-alarms");
const body = $("call-alarm-rows");
const options = { choose: false, handle: root.dataset.handle === "true", withCall: false };
const rows = new Map();
let alarms = new Map();
let skew = 0;
let timer = 0;
let asked = 0;

const now = () => Date.now() / 1000 + skew;

function show(found) {
  skew = found.now - Date.now() / 1000;
  alarms = new Map(found.rows.map((alarm) => [alarm.id, alarm]));
  for (const [id, row] of rows) {
    if (alarms.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  found.rows.forEach((alarm, index) => {
    if (!rows.has(alarm.id)) rows.set(alarm.id, makeRow(alarm, options));
    const row = rows.get(alarm.id);
    fillRow(row, alarm, now());
    if (body.children[index] !== row) body.insertBefore(row, body.children[index] ?? null);
  });
  root.hidden = !found.rows.length;
  const open = found.rows.filter((alarm) => alarm.state !== "closed").length;
  say($("call-alarm-count"), open ? several("%(n)s open", "%(n)s open", open) : "");
}

async function look() {
  clearTimeout(timer);
  const mine = ++asked;
  try {
    const answer = await fetch(root.dataset.url, { headers: { Accept: "application/json" }, cache: "no-store" });
    const found = answer.ok ? await answer.json() : null;
    if (found && mine === asked) show(found);
  } catch {
    // The page itself says when the console is gone.
  }
  if (!document.hidden) timer = setTimeout(look, root.dataset.runs === "true" ? LOOK_MS : IDLE_MS);
}

body.addEventListener("click", (event) => {
  const button = event.target.closest("[data-act]");
  const alarm = alarms.get(event.target.closest("tr")?.dataset.id);
  if (button && alarm) perform(button.dataset.act, [alarm], look);
});
document.addEventListener("visibilitychange", () => (document.hidden ? clearTimeout(timer) : look()));
setInterval(() => rows.forEach((row, id) => tickRow(row, alarms.get(id), now())), TICK_MS);
look();
