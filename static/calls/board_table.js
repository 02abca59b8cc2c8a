/* The table of live calls: as long as there are calls, but only rows on screen exist.
 *
 * The rows above and below are space: two custom properties that the style sheet turns
 * into the height of `tbody::before` and `::after`. All rows are equally high.
 */

import { $, mark, say } from "./dom.js";
import { _, fill, number, several } from "./text.js";
import { keyed } from "./board_parts.js";
import { buildCall, fillCall, tickCall } from "./board_rows.js";
import { serverNow, state } from "./board_state.js";
import { isFiltered, togglePin, view } from "./board_view.js";

const AROUND = 6; // rows beyond the edges, so that a turn of the wheel finds some
const MOST_ROWS = 60; // the server's limit
const FRESH_SECONDS = 5;
const FRESH_MS = 3000;
const SCROLLING = new Set(["PageUp", "PageDown", "Home", "End", "ArrowUp", "ArrowDown", " "]);

const scroll = $("live-scroll");
const table = $("live");
const body = table.tBodies[0];
const seen = new Set();
let rowHeight = 57;
let isMeasured = false; // asking each second would be a layout each second
let cursor = null; // {id, index} of the row last gone to
let wanted = null; // index of a row that will get the focus once it is there
let tell = () => {};
const forget = () => (wanted = null);

const rowsNow = () => [...body.rows];
const indexOf = (row) => state.snapshot.first + rowsNow().indexOf(row);

export function startTable(onChange) {
  tell = onChange;
  scroll.addEventListener("scroll", () => look() && tell(), { passive: true });
  window.addEventListener("resize", resized);
  // Whoever scrolls, or goes elsewhere, has done with the row that was to come.
  for (const hand of ["wheel", "pointerdown"]) scroll.addEventListener(hand, forget, { passive: true });
  scroll.addEventListener("keydown", (event) => SCROLLING.has(event.key) && forget());
  document.addEventListener("focusin", (event) => scroll.contains(event.target) || forget());
  body.addEventListener("focusin", (event) => select(event.target.closest("tr")));
}

/* Work out which rows are on screen; say whether the server has to know. */
export function look() {
  if (!isMeasured && body.rows.length) measure();
  const limit = parseFloat(getComputedStyle(scroll).maxHeight);
  const height = Number.isFinite(limit) ? limit : scroll.clientHeight;
  const seenRows = Math.ceil(height / rowHeight);
  const top = Math.floor(scroll.scrollTop / rowHeight);
  const count = Math.min(seenRows + 2 * AROUND, MOST_ROWS);
  const first = Math.max(0, top - AROUND);
  // Half of what is around may be used up before new rows are asked for.
  const isNear = Math.abs(first - view.first) <= AROUND / 2 && (first > 0 || view.first === 0);
  if (count === view.count && isNear) return false;
  view.count = count;
  view.first = first;
  return true;
}

export function toTop() {
  forget();
  scroll.scrollTop = 0;
  view.first = 0;
}

export function showTable() {
  const { calls, first, total, matching, cards } = state.snapshot;
  const focused = body.contains(document.activeElement) ? document.activeElement : null;
  // Before it goes: taking away what has the focus has a browser lay out a table that is
  // half changed, and scroll by what it misses.
  if (focused && !calls.some((item) => item.id === focused.closest("tr").item.id)) scroll.focus({ preventScroll: true });
  keyed(body, calls, (item) => item.id, build, fillRow);
  calls.forEach((item, index) => body.rows[index].setAttribute("aria-rowindex", first + index + 2));
  table.setAttribute("aria-rowcount", total + 1);
  if (!isMeasured && body.rows.length) measure();
  space("--above", first);
  space("--below", total - first - calls.length);
  // Its row has moved.
  if (focused && document.activeElement !== focused && body.contains(focused)) focused.focus({ preventScroll: true });
  if (wanted !== null) reach(Math.min(wanted, Math.max(total - 1, 0)));
  showCount(total, matching, cards.live_calls);
}

/* Rows are as high as the style sheet says; zoom and density change it. */
function measure() {
  rowHeight = body.rows[0].getBoundingClientRect().height || rowHeight;
  isMeasured = true;
}

export function resized() {
  isMeasured = false;
  showTable();
  if (look()) tell();
}

function space(name, rows) {
  const height = `${Math.max(0, Math.round(rows * rowHeight))}px`;
  if (body.style.getPropertyValue(name) !== height) body.style.setProperty(name, height);
}

function build(item) {
  const row = buildCall(item, { pin });
  const isNew = state.heardAt !== null && !seen.has(item.id) && serverNow() - item.since < FRESH_SECONDS;
  if (seen.size > 5000) seen.clear();
  if (isNew) {
    row.classList.add("fresh");
    setTimeout(() => row.classList.remove("fresh"), FRESH_MS);
  }
  return row;
}

function fillRow(row, item) {
  seen.add(item.id);
  fillCall(row, item, { pinned: view.pinned.includes(item.id), selected: item.id === view.selected });
  tickCall(row);
}

function showCount(total, matching, live) {
  const text = isFiltered()
    ? fill(_("%(total)s of %(live)s"), { total: number(matching), live: number(live) })
    : several("%(n)s call", "%(n)s calls", live);
  say($("live-count"), text);
  $("live-none").hidden = total > 0 || (isFiltered() && live > 0);
  $("live-no-match").hidden = total > 0 || $("live-none").hidden === false;
  table.hidden = total === 0;
  mark($("live-section"), "filtered", isFiltered());
}

export function tickTable() {
  for (const row of body.rows) tickCall(row);
}

function pin(id) {
  togglePin(id);
  for (const row of body.rows) fillRow(row, row.item);
  tell();
}

// --- going about by keyboard ------------------------------------------------------

function select(row) {
  if (!row?.item) return;
  cursor = { id: row.item.id, index: indexOf(row) };
  if (view.selected === row.item.id) return;
  view.selected = row.item.id;
  for (const one of body.rows) fillRow(one, one.item);
  tell();
}

export function unselect() {
  view.selected = cursor = wanted = null;
  if (body.contains(document.activeElement)) scroll.focus({ preventScroll: true });
  for (const row of body.rows) fillRow(row, row.item);
  tell();
}

export function selectedRow() {
  return rowsNow().find((row) => row.item.id === view.selected) ?? null;
}

/* Go a row down (1) or up (-1), beyond what is on screen too. Says whether there is one. */
export function step(by) {
  const at = rowsNow().find((row) => row.item.id === cursor?.id);
  const from = wanted ?? (at ? indexOf(at) : cursor?.index ?? (by > 0 ? -1 : 0));
  const to = from + by;
  if (to >= state.snapshot.total) return false;
  reach(Math.max(0, to));
  return true;
}

function reach(index) {
  const row = body.rows[index - state.snapshot.first];
  if (row) {
    wanted = null;
    row.focus({ preventScroll: true });
    // One that has the focus already is told of no other; behind a dialog none gets it.
    if (document.activeElement === row) select(row);
    row.scrollIntoView({ block: "nearest" });
    return;
  }
  // Asked for already, and nothing has scrolled elsewhere since.
  if (wanted === index && view.first <= index && index < view.first + view.count) return;
  wanted = index;
  cursor = { id: null, index };
  scroll.scrollTop = Math.max(0, (index - 2) * rowHeight);
  look();
  tell();
}
