/* One alarm as a row of a table, for the inbox and for the page of its call.
 *
 * A row is made once and filled again and again: what has not changed is not touched, so
 * that focus, selection and a half-marked text stay.
 */

import { element, mark, say, sign } from "./dom.js";
import { _, clock, fill, several } from "./text.js";

const parts = new WeakMap();
const HOUR = 3600;

const ACTS = [
  { act: "acknowledge", icon: "visibility", label: _("Acknowledge") },
  // One of these two is shown, so that the others keep their places.
  { act: "reopen", icon: "undo", label: _("Reopen") },
  { act: "assign", icon: "person_add", label: _("Assign") },
  { act: "close", icon: "check_circle", label: _("Close") },
];

export function length(seconds) {
  if (seconds < HOUR) return clock(seconds);
  return fill(_("%(h)s h %(m)s min"), { h: Math.floor(seconds / HOUR), m: Math.floor(seconds / 60) % 60 });
}

/* Whether an act makes sense for an alarm as it is. */
export function fits(act, alarm) {
  if (act === "acknowledge") return alarm.state === "open";
  if (act === "reopen") return alarm.state !== "open";
  return alarm.state !== "closed";
}

function cell(row, className) {
  const made = element("td", className);
  row.append(made);
  return made;
}

function picker(row) {
  const box = element("input");
  box.type = "checkbox";
  box.tabIndex = -1;
  const label = element("label", "inbox-pick");
  label.append(box, element("span", "console-hidden", _("Choose")));
  cell(row, "pick").append(label);
  return box;
}

function what(row, options) {
  const made = cell(row, "what");
  const first = element("p", "inbox-what");
  const kind = element("b");
  const words = element("span");
  first.append(kind, " ", words);
  const second = element("p", "inbox-about");
  const who = element("span", "who");
  const call = element("a", "console-link call");
  const live = element("span", "console-chip live", _("live"));
  live.dataset.tone = "good";
  const more = element("button", "inbox-more");
  more.type = "button";
  more.tabIndex = -1;
  const node = element("span", "console-dim node");
  const closed = element("span", "closed");
  second.append(...(options.withCall ? [who, call, live, more, node, closed] : [who, node, closed]));
  made.append(first, second);
  return { kind, words, who, call, live, more, node, closed };
}

function buttons(row, options) {
  const made = cell(row, "acts");
  const jump = element("a", "console-order jump");
  const at = element("span");
  jump.append(sign("play_circle"), at);
  made.append(jump);
  const acts = {};
  for (const { act, icon, label } of options.handle ? ACTS : []) {
    const button = element("button", "console-order");
    button.type = "button";
    button.title = label;
    button.dataset.act = act;
    button.append(sign(icon), element("span", "console-hidden", label));
    made.append(button);
    acts[act] = button;
  }
  return { jump, at, acts };
}

export function makeRow(alarm, options) {
  const row = element("tr", "inbox-row");
  row.dataset.id = alarm.id;
  row.tabIndex = -1;
  const box = options.choose ? picker(row) : null;
  const severity = element("span", "inbox-severity");
  cell(row, "severity").append(severity);
  const told = what(row, options);
  const since = element("time");
  const lasts = element("small");
  const times = element("span", "console-chip");
  cell(row, "since").append(since, times, lasts);
  const state = element("span", "console-chip");
  const assignee = element("small");
  cell(row, "state").append(state, assignee);
  parts.set(row, { box, severity, ...told, since, times, lasts, state, assignee, ...buttons(row, options) });
  return row;
}

export const boxOf = (row) => parts.get(row).box;

const TONES = { open: "bad", acknowledged: "busy", closed: "" };

export function fillRow(row, alarm, now) {
  const part = parts.get(row);
  mark(row, "severity", alarm.severity);
  mark(row, "state", alarm.state);
  mark(row, "lasts", alarm.lasts);
  say(part.severity, alarm.severity_label);
  mark(part.severity, "severity", alarm.severity);
  say(part.kind, alarm.kind_label);
  say(part.words, alarm.words);
  say(part.who, alarm.who);
  part.who.hidden = !alarm.who;
  say(part.node, alarm.node ? fill(_("Node %(node)s"), { node: alarm.node }) : "");
  about(part, alarm.call);
  part.since.dateTime = new Date(alarm.opened * 1000).toISOString();
  part.since.title = fill(_("First seen %(at)s (%(utc)s)"), { at: alarm.opened_text, utc: alarm.opened_utc });
  say(part.times, alarm.occurrences > 1 ? `${alarm.occurrences} ×` : "");
  part.times.hidden = alarm.occurrences < 2;
  part.times.title = several("seen once", "seen %(n)s times", alarm.occurrences);
  state(part, alarm);
  goes(part, alarm);
  if (part.box) part.box.setAttribute("aria-label", fill(_("Choose: %(kind)s"), { kind: alarm.kind_label }));
  tickRow(row, alarm, now);
}

function about(part, call) {
  for (const node of [part.call, part.live, part.more]) node.hidden = !call;
  if (!call) return;
  say(part.call, call.title);
  if (part.call.getAttribute("href") !== call.url) part.call.href = call.url;
  part.live.hidden = !call.live;
  part.more.hidden = call.alarms < 2;
  say(part.more, fill(_("%(n)s on this call"), { n: call.alarms }));
  part.more.dataset.call = call.id;
}

function state(part, alarm) {
  say(part.state, alarm.state_label);
  mark(part.state, "tone", TONES[alarm.state]);
  part.state.title = alarm.acknowledged_by ? fill(_("by %(name)s"), { name: alarm.acknowledged_by }) : "";
  say(part.assignee, alarm.assignee ? `→ ${alarm.assignee.name}` : "");
  const closed = fill(_("Closed %(at)s by %(name)s: %(why)s"), {
    at: alarm.closed_text,
    name: alarm.closed_by || _("the system"),
    why: alarm.close_reason,
  });
  say(part.closed, alarm.state === "closed" ? closed : "");
}

function goes(part, alarm) {
  part.jump.hidden = !alarm.jump;
  if (alarm.jump && part.jump.getAttribute("href") !== alarm.jump) part.jump.href = alarm.jump;
  say(part.at, alarm.at || _("call"));
  const words = alarm.at ? fill(_("Jump to the moment: %(at)s into the call"), { at: alarm.at }) : _("Open the call");
  part.jump.title = words;
  part.jump.setAttribute("aria-label", words);
  for (const [act, button] of Object.entries(part.acts)) button.hidden = !fits(act, alarm);
}

/* What changes by the second, and nothing else. */
export function tickRow(row, alarm, now) {
  const { since, lasts } = parts.get(row);
  if (alarm.lasts) {
    say(since, length(Math.max(0, now - alarm.began)));
    say(lasts, _("and lasting"));
    return;
  }
  // Of what was closed while it lasted nobody knows how long it went on.
  const end = alarm.cleared ?? alarm.closed ?? alarm.opened;
  const words = alarm.cleared ? _("over for %(age)s") : _("closed for %(age)s");
  say(since, length(Math.max(0, end - alarm.began)));
  say(lasts, fill(words, { age: length(Math.max(0, now - end)) }));
}

/* What became of a row that is about to go. */
export function sayGone(row, words) {
  const { state: chip, closed } = parts.get(row);
  say(chip, _("Closed"));
  mark(chip, "tone", "good");
  say(closed, words);
}
