/* The list of notes. A note that has not changed keeps its node, and with it the focus. */

import { element, sign } from "./dom.js";
import { _, clock, fill } from "./text.js";
import { zone } from "./zone.js";
import { momentLink } from "./callpage_moment.js";

const SURE_MS = 4000;

function written(note) {
  const time = element("time", "console-dim");
  const at = new Date(note.written_at);
  time.dateTime = note.written_at;
  time.textContent = at.toLocaleString("sv-SE", { dateStyle: "short", timeStyle: "short", timeZone: zone });
  time.title = `${at.toISOString().slice(0, 19).replace("T", " ")} UTC`;
  return time;
}

/* Two presses: the first one asks. */
function deleter(note, remove) {
  const button = element("button", "delete");
  button.type = "button";
  button.title = _("Delete this note");
  button.setAttribute("aria-label", _("Delete this note"));
  button.append(sign("delete"), element("span"));
  button.addEventListener("click", () => {
    if (button.dataset.sure) return remove(note);
    button.dataset.sure = "true";
    button.lastElementChild.textContent = _("Really delete?");
    button.setAttribute("aria-label", _("Really delete this note?"));
    return setTimeout(() => {
      delete button.dataset.sure;
      button.lastElementChild.textContent = "";
      button.setAttribute("aria-label", _("Delete this note"));
    }, SURE_MS);
  });
  return button;
}

function row(note, remove) {
  const made = element("li");
  const head = element("p", "head");
  head.append(element("b", "", note.author), written(note));
  if (note.at !== null) {
    const link = element("a", "console-link", fill(_("at %(at)s"), { at: clock(note.at) }));
    momentLink(link, note.at);
    head.append(link);
  }
  if (note.mine) head.append(deleter(note, remove));
  made.append(head, element("p", "text", note.text));
  made.dataset.key = `${note.id}/${note.at}`;
  return made;
}

export function showNotes(root, notes, remove) {
  const list = root.querySelector(".notes ol");
  const known = new Map([...list.children].map((one) => [one.dataset.key, one]));
  const rows = notes.map((note) => known.get(`${note.id}/${note.at}`) ?? row(note, remove));
  for (const one of known.values()) if (!rows.includes(one)) one.remove();
  rows.forEach((one, at) => {
    if (list.children[at] !== one) list.insertBefore(one, list.children[at] ?? null);
  });
  root.querySelector(".notes .none").hidden = notes.length > 0;
}
