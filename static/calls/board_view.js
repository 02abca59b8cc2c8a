/* What this browser wants to see: told to the server, kept in the page's address. */

import { $ } from "./dom.js";

const KEPT = "acsstream.board"; // pins and density, in localStorage
const MOST_PINNED = 100;
const FLAGS = ["incomplete", "pinned"];
const FIELDS = ["state", "streaming", "severity", "profile", "node", ...FLAGS];
export const DEFAULT_SORT = "duration";

const kept = readKept();
export const view = {
  sort: DEFAULT_SORT,
  search: "",
  filter: {},
  pinned: kept.pinned,
  selected: null,
  first: 0,
  count: 30,
};
export const isDense = () => kept.dense;

function readKept() {
  try {
    const found = JSON.parse(localStorage.getItem(KEPT)) ?? {};
    const pinned = Array.isArray(found.pinned) ? found.pinned.filter((id) => typeof id === "string") : [];
    return { pinned: pinned.slice(-MOST_PINNED), dense: found.dense === true };
  } catch {
    return { pinned: [], dense: false }; // no storage: pins last as long as the page
  }
}

function keep() {
  try {
    localStorage.setItem(KEPT, JSON.stringify({ pinned: view.pinned, dense: kept.dense }));
  } catch {
    // See readKept.
  }
}

export function setDense(dense) {
  kept.dense = dense;
  keep();
}

export function togglePin(id) {
  view.pinned = view.pinned.includes(id)
    ? view.pinned.filter((one) => one !== id)
    : [...view.pinned, id].slice(-MOST_PINNED);
  keep();
}

/* What `calls.board.view.View` reads: only what differs from its defaults. */
export function told(number) {
  const filter = {};
  for (const [name, value] of Object.entries(view.filter)) {
    if (value) filter[name] = ["severity", "profile"].includes(name) ? Number(value) : value;
  }
  const { sort, search, pinned, selected, first, count } = view;
  return { sort, search, pinned, selected, first, count, filter, number };
}

export const isFiltered = () => Boolean(view.search) || Object.values(view.filter).some(Boolean);

// --- the form and the address -----------------------------------------------------

export function readAddress() {
  const query = new URLSearchParams(location.search);
  const sorts = [...document.querySelectorAll("#live [data-sort]")].map((head) => head.dataset.sort);
  const sort = query.get("sort") ?? "";
  view.sort = sorts.includes(sort.replace(/^-/, "")) ? sort : DEFAULT_SORT;
  view.search = (query.get("q") ?? "").slice(0, 100);
  for (const name of FIELDS) {
    const field = $("board-tools").elements[name];
    if (FLAGS.includes(name)) field.checked = query.get(name) === "1";
    else {
      const value = query.get(name) ?? "";
      // A node that has gone, or is not known yet, may still be filtered by.
      if (name === "node" && value && ![...field.options].some((one) => one.value === value)) addNode(value);
      field.value = value;
      if (field.selectedIndex < 0) field.value = "";
    }
  }
  $("board-tools").elements.q.value = view.search;
  readForm();
}

export function readForm() {
  const fields = $("board-tools").elements;
  view.search = fields.q.value.trim().slice(0, 100);
  for (const name of FIELDS) view.filter[name] = FLAGS.includes(name) ? fields[name].checked : fields[name].value;
}

export function writeAddress() {
  const query = new URLSearchParams();
  if (view.search) query.set("q", view.search);
  for (const [name, value] of Object.entries(view.filter)) if (value) query.set(name, value === true ? "1" : value);
  if (view.sort !== DEFAULT_SORT) query.set("sort", view.sort);
  const text = query.toString();
  history.replaceState(null, "", text ? `?${text}` : location.pathname);
}

export function clearForm() {
  const fields = $("board-tools").elements;
  fields.q.value = "";
  for (const name of FIELDS) {
    if (FLAGS.includes(name)) fields[name].checked = false;
    else fields[name].value = "";
  }
  readForm();
}

export function addNode(name) {
  const option = document.createElement("option");
  option.value = option.textContent = name;
  $("board-tools").elements.node.append(option);
}
