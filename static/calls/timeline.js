/* The timeline of a call: filter, search, turn round, and keep up while the call lives.

What is chosen stands in the address, so a view can be sent to a colleague. Nodes are
kept from one picture to the next: what is unfolded, focused or scrolled to stays so. */

import { _, fill } from "./text.js";

const POLL_MS = 2000;
const section = document.getElementById("timeline");
const list = section.querySelector("ol");
const form = section.querySelector("form");
const boxes = [...form.querySelectorAll("[name=kind]")];
const search = form.elements.q;
const newest = form.elements.order;
// The entries, oldest first.
let nodes = [...list.children];
// Of each entry the node, and its HTML as the server made it.
const known = new Map();

// --- what is chosen ---------------------------------------------------------------

function readAddress() {
  const chosen = new URLSearchParams(location.search);
  const kinds = chosen.getAll("kind");
  for (const box of boxes) box.checked = !kinds.length || kinds.includes(box.value);
  search.value = chosen.get("q") || "";
  newest.checked = chosen.get("order") === "newest";
}

function writeAddress() {
  const address = new URL(location.href);
  for (const name of ["kind", "q", "order"]) address.searchParams.delete(name);
  const kinds = boxes.filter((box) => box.checked);
  if (kinds.length < boxes.length) {
    // None at all is a choice too.
    for (const value of kinds.length ? kinds.map((box) => box.value) : ["none"]) {
      address.searchParams.append("kind", value);
    }
  }
  if (search.value.trim()) address.searchParams.set("q", search.value.trim());
  if (newest.checked) address.searchParams.set("order", "newest");
  history.replaceState(null, "", address);
}

function filter() {
  const kinds = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  const counts = {};
  let shown = 0;
  for (const node of list.children) {
    const { kind } = node.dataset;
    const text = words.length ? node.textContent.toLowerCase() : "";
    const found = words.every((word) => text.includes(word));
    if (found) counts[kind] = (counts[kind] || 0) + 1;
    node.hidden = !found || !kinds.has(kind);
    if (!node.hidden) shown += 1;
  }
  for (const box of boxes) {
    const number = box.parentElement.querySelector("b");
    number.textContent = counts[box.value] || 0;
    box.parentElement.dataset.empty = !counts[box.value];
  }
  section.querySelector(".count").textContent = fill(_("%(shown)s of %(all)s"), { shown, all: list.children.length });
  section.querySelector(".none").hidden = shown > 0;
}

// --- what is there ----------------------------------------------------------------

function place() {
  const ordered = newest.checked ? [...nodes].reverse() : nodes;
  let next = list.firstElementChild;
  for (const node of ordered) {
    if (node === next) next = next.nextElementSibling;
    else list.insertBefore(node, next);
  }
}

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html.trim();
  return template.content.firstElementChild;
}

function take(entry) {
  const old = known.get(entry.key);
  const node = parse(entry.html);
  const html = node.outerHTML;
  if (old && old.html === html) return old.node;
  if (old) {
    const unfolded = old.node.querySelector("details")?.open;
    const details = node.querySelector("details");
    if (details && unfolded) details.open = true;
    old.node.replaceWith(node);
  }
  known.set(entry.key, { node, html });
  return node;
}

function show(part) {
  nodes = part.entries.map(take);
  const keys = new Set(part.entries.map((entry) => entry.key));
  for (const [key, { node }] of known) {
    if (keys.has(key)) continue;
    node.remove();
    known.delete(key);
  }
  place();
  const hidden = section.querySelector(".hidden-ones");
  hidden.hidden = !part.hidden;
  hidden.querySelector("span").textContent = part.hidden;
  filter();
}

// --- keeping up -------------------------------------------------------------------

let last = "";

async function ask() {
  // `no-cache` asks whether something is new: if not, the answer is a 304 of no size.
  const answer = await fetch(section.dataset.part, { cache: "no-cache", headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(fill(_("the console answered %(status)s"), { status: answer.status }));
  const text = await answer.text();
  const part = JSON.parse(text);
  if (text !== last) show(part);
  last = text;
  return part.moving;
}

async function keepUp() {
  let moving = true;
  const fault = section.querySelector(".fault");
  try {
    if (!document.hidden) moving = await ask();
    fault.hidden = true;
  } catch (error) {
    fault.textContent = fill(_("The timeline is not up to date: %(why)s. Trying again."), { why: error.message });
    fault.hidden = false;
  }
  if (moving) setTimeout(keepUp, POLL_MS);
  else {
    section.dataset.moving = "false";
    section.querySelector(".over").hidden = false;
  }
}

for (const node of nodes) {
  known.set(node.dataset.key, { node, html: node.outerHTML });
}
readAddress();
place();
form.hidden = false;
filter();

form.addEventListener("input", (event) => {
  if (event.target === newest) place();
  filter();
  writeAddress();
});
form.addEventListener("submit", (event) => event.preventDefault());
if (section.dataset.moving === "true") setTimeout(keepUp, POLL_MS);
