/* The rows of the inbox: put in order in place, the current one, and the chosen ones. */

import { $ } from "./dom.js";
import { boxOf, fillRow, makeRow, sayGone, tickRow } from "./inbox_row.js";

const GONE_MS = 4000;
const FADE_MS = 1400;

/* `options` are those of `makeRow`; `chose` is called when the choice has changed. */
export function table(options, chose) {
  const body = $("inbox-rows");
  const rows = new Map();
  const alarms = new Map();
  const chosen = new Set();
  let current = null;
  let last = null;

  const shown = () => [...body.children].filter((row) => rows.has(row.dataset.id));
  const alarmOf = (row) => alarms.get(row?.dataset.id);

  /* Exactly one row can be reached by Tab: the current one. */
  function go(id, { focus = true } = {}) {
    rows.get(current)?.classList.remove("current");
    if (rows.has(current)) rows.get(current).tabIndex = -1;
    current = id;
    const row = rows.get(id);
    if (!row) return;
    row.classList.add("current");
    row.tabIndex = 0;
    if (focus) {
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
  }

  function step(by) {
    const all = shown();
    if (!all.length) return;
    const at = all.findIndex((row) => row.dataset.id === current);
    const isThere = at >= 0 && all[at].contains(document.activeElement);
    // The first key shows where one is; the next ones move.
    const next = isThere ? Math.min(Math.max(at + by, 0), all.length - 1) : Math.max(at, 0);
    go(all[next].dataset.id);
  }

  function leave(row, words) {
    row.classList.remove("current", "fresh", "chosen");
    row.classList.add(words ? "gone" : "leaving");
    row.setAttribute("aria-hidden", "true");
    row.inert = true;
    row.tabIndex = -1;
    if (!words) {
      setTimeout(() => row.remove(), FADE_MS);
      return;
    }
    sayGone(row, words);
    setTimeout(() => row.classList.add("leaving"), GONE_MS - FADE_MS);
    setTimeout(() => row.remove(), GONE_MS);
  }

  /* Rows that are going stay where they are; the others are put in order around them. */
  function order(wanted) {
    let next = body.firstElementChild;
    for (const alarm of wanted) {
      while (next && !rows.has(next.dataset.id)) next = next.nextElementSibling;
      const row = rows.get(alarm.id);
      if (row === next) next = next.nextElementSibling;
      else body.insertBefore(row, next);
    }
  }

  /* Show these alarms. `isNew` says whether rows that were not there shall flash; `gone`
   * has the words about those that were closed meanwhile. */
  function show(wanted, { now, isNew, gone }) {
    const before = shown();
    const at = before.findIndex((row) => row.dataset.id === current);
    const focused = document.activeElement;
    const hadFocus = rows.get(current)?.contains(focused);
    const ids = new Set(wanted.map((alarm) => alarm.id));
    for (const [id, row] of rows) {
      if (ids.has(id)) continue;
      rows.delete(id);
      alarms.delete(id);
      chosen.delete(id);
      if (isNew) leave(row, gone.get(id));
      else row.remove();
    }
    for (const alarm of wanted) {
      alarms.set(alarm.id, alarm);
      if (!rows.has(alarm.id)) rows.set(alarm.id, born(alarm, isNew));
      fillRow(rows.get(alarm.id), alarm, now);
    }
    order(wanted);
    keep(wanted, Math.max(at, 0), hadFocus, focused);
    chose();
  }

  function born(alarm, isNew) {
    const row = makeRow(alarm, options);
    if (isNew) {
      row.classList.add("fresh");
      row.addEventListener("animationend", () => row.classList.remove("fresh"));
    }
    return row;
  }

  /* Whoever is triaging goes on at the same place when the current row has gone. A row
   * that was moved has lost the focus, and gets it back. */
  function keep(wanted, at, hadFocus, focused) {
    if (!rows.has(current)) {
      const next = wanted[Math.min(at, wanted.length - 1)];
      go(next?.id ?? null, { focus: Boolean(next && hadFocus) });
    } else if (hadFocus && document.activeElement !== focused) {
      (focused.isConnected && !focused.hidden ? focused : rows.get(current)).focus({ preventScroll: true });
    }
  }

  function choose(id, isChosen) {
    if (isChosen) chosen.add(id);
    else chosen.delete(id);
    const row = rows.get(id);
    boxOf(row).checked = isChosen;
    row.classList.toggle("chosen", isChosen);
    chose();
  }

  function chooseAll(isChosen, of = () => true) {
    for (const [id, alarm] of alarms) if (of(alarm)) choose(id, isChosen);
  }

  /* With Shift, all between the last one and this one. */
  function pick(row, event) {
    const all = shown();
    const from = all.findIndex((one) => one.dataset.id === last);
    const to = all.indexOf(row);
    const isChosen = boxOf(row).checked;
    const [first, end] = event.shiftKey && from >= 0 ? [Math.min(from, to), Math.max(from, to)] : [to, to];
    for (const one of all.slice(first, end + 1)) choose(one.dataset.id, isChosen);
    last = row.dataset.id;
  }

  body.addEventListener("focusin", (event) => {
    const id = event.target.closest("tr")?.dataset.id;
    if (rows.has(id) && id !== current) go(id, { focus: false });
  });
  body.addEventListener("click", (event) => {
    if (event.target.matches(".inbox-pick input")) pick(event.target.closest("tr"), event);
  });
  return {
    show,
    go,
    step,
    choose,
    chooseAll,
    current: () => alarms.get(current),
    row: () => rows.get(current),
    isChosen: (id) => chosen.has(id),
    chosen: () => [...alarms.values()].filter((alarm) => chosen.has(alarm.id)),
    all: () => [...alarms.values()],
    alarmOf,
    tick: (now) => rows.forEach((row, id) => tickRow(row, alarms.get(id), now)),
  };
}
