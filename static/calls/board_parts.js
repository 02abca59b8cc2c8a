/* Pieces of rows: cells, chips, who called whom; and rows that stay while they are filled. */

import { element, mark, say, sign } from "./dom.js";
import { _ } from "./text.js";
import { urlOf } from "./board_state.js";

/* Keep one child per item, in the items' order; build new ones, drop the others. Only
 * what changed is touched, so that focus, hover and selection survive each second. */
export function keyed(parent, items, key, build, fill) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = new Set(items.map(key));
  // First: moving rows around one that goes would take the focus from those that stay.
  for (const [name, child] of known) if (!wanted.has(name)) child.remove();
  let before = parent.firstElementChild;
  for (const item of items) {
    let child = known.get(key(item));
    if (!child) {
      child = build(item);
      child.dataset.key = key(item);
    }
    if (child === before) before = before.nextElementSibling;
    else parent.insertBefore(child, before);
    fill(child, item);
  }
}

export function row() {
  const made = element("tr", "console-row");
  made.parts = {};
  made.tabIndex = -1;
  return made;
}

export function cell(parent, name, className) {
  const made = element("td", className);
  parent.append(made);
  parent.parts[name] = made;
  return made;
}

export const chip = () => element("span", "console-chip");

const TONES = new Map([
  ...["ok", "connected", "streaming", "finished", "confirmed"].map((name) => [name, "good"]),
  ...["full", "stalled", "failed", "timed_out"].map((name) => [name, "bad"]),
  ...["near", "ringing", "answering", "requested", "connecting", "stopping", "pending", "queued", "sent"]
    .map((name) => [name, "busy"]),
]);

export const toneOf = (name) => TONES.get(name) ?? "plain";

export function setChip(node, name, text) {
  say(node, text);
  mark(node, "tone", toneOf(name));
}

/* A link: an arrow and who called, an arrow and who was called. */
export function parties(parent, item) {
  const link = element("a", "console-parties");
  link.href = urlOf(item.id);
  const outbound = item.direction === "outbound";
  const arrow = element("span", "console-direction", outbound ? "↗" : "↘");
  arrow.title = outbound ? _("Outbound") : _("Inbound");
  const found = { from: element("span"), to: element("span") };
  const to = element("span", "console-dim", "→");
  to.setAttribute("role", "img");
  to.setAttribute("aria-label", _("to"));
  link.append(arrow, found.from, to, found.to);
  parent.append(link);
  return found;
}

export function setParties(found, item) {
  say(found.from, item.from_name || _("unknown"));
  say(found.to, item.to_name || _("unknown"));
  setTitle(found.from, item.from_raw ?? "");
  setTitle(found.to, item.to_raw ?? "");
}

export function setTitle(node, text) {
  if (node.title !== text) node.title = text;
}

export function orderButton(icon = "", text = "", tone = "") {
  const button = element("button", `console-order ${tone}`);
  button.type = "button";
  button.append(sign(icon), element("span", "", text));
  return button;
}
