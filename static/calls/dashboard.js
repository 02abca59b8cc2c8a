/* The wallboard: renders whole snapshots into rows that stay.
 *
 * Rows are keyed by call id and only changed texts are touched, so focus, hover and
 * selection survive each second. Data enters the page as text, never as HTML.
 */

import { $, mark } from "./dom.js";
import { showCards, showTrend } from "./board_cards.js";
import { connect, showFeed, tell } from "./board_feed.js";
import { startKeys } from "./board_keys.js";
import { showOther, tickOther } from "./board_other.js";
import { state } from "./board_state.js";
import { look, resized, showTable, startTable, tickTable, toTop } from "./board_table.js";
import {
  addNode, clearForm, DEFAULT_SORT, isDense, readAddress, readForm, setDense, view, writeAddress,
} from "./board_view.js";

const TYPING_MS = 150;
const TICK_MS = 500;

function show(hasTrend) {
  showCards();
  if (hasTrend) showTrend();
  showTable();
  showOther();
  showNodes();
  tickOther();
  showFeed();
}

function tick() {
  tickTable();
  tickOther();
  showFeed();
}

// --- order and filter -------------------------------------------------------------

function changed() {
  writeAddress();
  showHeads();
  toTop();
  look();
  tell();
}

function showHeads() {
  for (const head of document.querySelectorAll("#live [data-sort]")) {
    const name = head.dataset.sort;
    const order = { [name]: "ascending", [`-${name}`]: "descending" }[view.sort];
    if (order) head.setAttribute("aria-sort", order);
    else head.removeAttribute("aria-sort");
  }
  $("board-clear").hidden = !location.search;
}

/* Once, then the other way round, then as it was. What is bad comes first. */
function sortBy(head) {
  const name = head.dataset.sort;
  const [first, second] = head.dataset.worst === "high" ? [`-${name}`, name] : [name, `-${name}`];
  view.sort = { [first]: second, [second]: name === DEFAULT_SORT ? first : DEFAULT_SORT }[view.sort] ?? first;
  changed();
}

function showNodes() {
  const field = $("board-tools").elements.node;
  const known = new Set([...field.options].map((one) => one.value));
  for (const name of state.snapshot.node_names) if (!known.has(name)) addNode(name);
  field.hidden = field.options.length < 3 && !field.value;
}

function showDensity() {
  mark($("live-section"), "density", isDense() ? "compact" : "roomy");
  $("board-density").setAttribute("aria-pressed", String(isDense()));
}

function startTools() {
  const form = $("board-tools");
  let typing = null;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      readForm();
      changed();
    }, TYPING_MS);
  });
  for (const button of document.querySelectorAll("#board-clear, #board-clear-none")) {
    button.addEventListener("click", () => {
      clearForm();
      view.sort = DEFAULT_SORT;
      changed();
      $("board-search").focus();
    });
  }
  for (const head of document.querySelectorAll("#live [data-sort]")) {
    head.querySelector("button").addEventListener("click", () => sortBy(head));
  }
  $("board-density").addEventListener("click", () => {
    setDense(!isDense());
    showDensity();
    resized();
  });
}

readAddress();
showHeads();
showDensity();
startTools();
startTable(tell);
startKeys();
show(true);
look();
setInterval(tick, TICK_MS);
connect(show);
