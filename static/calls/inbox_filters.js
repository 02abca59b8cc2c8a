/* The inbox's filters: chips with counts, a search, and all of it in the address. */

import { $, element, mark, say } from "./dom.js";
import { _, fill, number } from "./text.js";

const MANY = new Set(["severity", "kind"]);
const TYPED_MS = 250;

/* `changed` is called whenever the address has other filters than before. */
export function filters(changed) {
  const query = new URLSearchParams(location.search);
  const search = $("inbox-search");
  let typed = 0;

  function put(name, value) {
    if (value) query.set(name, value);
    else query.delete(name);
    if (name !== "page") query.delete("page");
    const text = query.toString();
    history.replaceState(null, "", text ? `?${text}` : location.pathname);
    changed();
  }

  function toggle(name, value) {
    const chosen = (query.get(name) ?? "").split(",").filter(Boolean);
    const without = chosen.filter((one) => one !== value);
    const has = without.length < chosen.length;
    if (MANY.has(name)) put(name, (has ? without : [...without, value]).join(","));
    else put(name, has ? "" : value);
  }

  function clear() {
    for (const name of [...query.keys()]) query.delete(name);
    search.value = "";
    put("page", "");
  }

  search.value = query.get("q") ?? "";
  search.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(() => put("q", search.value.trim()), TYPED_MS);
  });
  $("inbox-chips").addEventListener("click", (event) => {
    const chip = event.target.closest("[data-filter]");
    if (chip) toggle(chip.dataset.filter, chip.dataset.value);
  });
  return {
    put,
    clear,
    text: () => query.toString(),
    isFiltered: () => [...query.keys()].some((name) => name !== "page"),
  };
}

/* Chips keep their places, so that the one that has the focus keeps it. */
export function showChips(chips, call) {
  const root = $("inbox-chips");
  for (const [name, choices] of Object.entries(chips)) {
    const group = root.querySelector(`[data-group="${name}"]`);
    const known = new Map([...group.children].map((chip) => [chip.dataset.value, chip]));
    choices.forEach((choice, index) => {
      const chip = known.get(choice.value) ?? made(name, choice);
      known.delete(choice.value);
      fillChip(chip, choice);
      if (group.children[index] !== chip) group.insertBefore(chip, group.children[index] ?? null);
    });
    for (const chip of known.values()) chip.remove();
  }
  const only = $("inbox-call");
  only.hidden = !call;
  say(only.querySelector("span"), call ? fill(_("Only %(call)s"), { call }) : "");
}

function made(name, choice) {
  const chip = element("button", "inbox-chip");
  chip.type = "button";
  chip.dataset.filter = name;
  chip.dataset.value = choice.value;
  chip.append(element("span"), element("b"));
  return chip;
}

function fillChip(chip, choice) {
  const [label, count] = chip.children;
  say(label, choice.label);
  say(count, choice.count === null ? "" : number(choice.count));
  mark(chip, "none", choice.count === 0);
  chip.setAttribute("aria-pressed", String(choice.chosen));
}
