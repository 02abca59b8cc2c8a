/* The wallboard by keyboard; '?' says how. */

import { $, element, isTaken } from "./dom.js";
import { keysAreOff, keysSwitch } from "./keys_off.js";
import { _ } from "./text.js";
import { mayListen, urlOf } from "./board_state.js";
import { endedRows } from "./board_other.js";
import { selectedRow, step, unselect } from "./board_table.js";

const KEYS = [
  [["j", "k"], _("Next call, call before")],
  [["Enter"], _("Open the call")],
  ...(mayListen ? [[["l"], _("Listen to the call")]] : []),
  [["p"], _("Pin the call to the top, or unpin it")],
  [["Esc"], _("Select no call")],
  [["/"], _("Search")],
  [["?"], _("Show these keys")],
];

const DO = {
  j: () => move(1),
  k: () => move(-1),
  "/": search,
  "?": showKeys,
  Escape: unselect,
  p: () => selectedRow()?.parts.pin.click(),
  l: () => mayListen && selectedRow() && go(`${urlOf(selectedRow().item.id)}#listen`),
};

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.target.id === "board-search" && event.key === "Escape") return event.target.blur();
    if (isTaken(event) || keysAreOff(event)) return undefined;
    if (event.key === "Enter" && event.target.matches("tr.console-row")) return go(urlOf(event.target.item.id));
    if (!DO[event.key]) return undefined;
    event.preventDefault();
    return DO[event.key]();
  });
  $("board-keys").addEventListener("click", showKeys);
}

/* Selecting a field's text gives it the focus in some browsers only. */
function search() {
  $("board-search").focus();
  $("board-search").select();
}

function go(address) {
  location.href = address;
}

/* Down through the live calls, then through those that ended. */
function move(by) {
  const ended = endedRows();
  const at = ended.indexOf(document.activeElement?.closest("tr"));
  if (at < 0) {
    if (!step(by)) ended[0]?.focus();
  } else if (at + by < 0) {
    step(0) || step(-1);
  } else {
    ended[Math.min(at + by, ended.length - 1)].focus();
  }
}

function showKeys() {
  if (document.querySelector("dialog[open]")) return;
  const box = element("dialog", "console-dialog board-help");
  const title = element("h2", "", _("Keys"));
  title.id = "board-help-title";
  box.setAttribute("aria-labelledby", title.id);
  const list = element("dl");
  for (const [keys, text] of KEYS) {
    const term = element("dt");
    keys.forEach((key) => term.append(element("kbd", "", key), " "));
    list.append(term, element("dd", "", text));
  }
  const close = element("button", "", _("Close"));
  close.type = "button";
  close.addEventListener("click", () => box.close());
  const menu = element("menu");
  menu.append(close);
  box.append(title, list, keysSwitch(), menu);
  const opener = document.activeElement;
  box.addEventListener("close", () => {
    box.remove();
    opener?.focus?.();
  });
  document.body.append(box);
  box.showModal();
}
