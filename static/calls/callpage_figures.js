/* Puts each second's figures into the facts and the table of participants.
 *
 * Both are made by the server and may be replaced at any time: nodes are looked up anew.
 */

import { element, mark, say } from "./dom.js";
import { _, age, clock, fill, number, percent } from "./text.js";
import { brief, level } from "./callpage_words.js";

const QUIET_SECONDS = 3;

function put(root, name, text) {
  const node = root.querySelector(`[data-now="${name}"]`);
  if (node) say(node, text);
  return node;
}

/* A bar as the server makes them. */
function bar(cell, share, kind) {
  const old = cell.querySelector(".console-bar");
  const made = old ?? element("span", "console-bar");
  if (!old) {
    made.append(element("i", "console-meter"), element("b"));
    cell.replaceChildren(made);
  }
  mark(made, "kind", kind);
  mark(made, "state", kind === "completeness" && share < 1 ? "short" : "whole");
  made.firstElementChild.style.setProperty("--share", share.toFixed(4));
  say(made.lastElementChild, percent(share));
}

const FIGURES = {
  packets: (one) => number(one.packets),
  silent_packets: (one) => number(one.silent_packets),
  talk_ms: (one) => clock(one.talk_ms / 1000),
  level_dbfs: (one) => level(one.level_dbfs),
  peak_dbfs: (one) => level(one.peak_dbfs),
  clipped: (one) => number(one.clipped),
  gaps: (one) => (one.gap_count ? `${number(one.gap_count)} · ${brief(one.gap_ms / 1000)}` : "0"),
  late: (one) => number(one.late),
  duplicates: (one) => number(one.duplicates),
  jitter_ms: (one) => brief(one.jitter_ms / 1000),
};

function showPerson(table, person, isLive) {
  const row = table.querySelector(`[data-track="${CSS.escape(person.key)}"]`);
  if (!row) return;
  mark(row, "talking", person.talking && isLive);
  for (const [name, words] of Object.entries(FIGURES)) put(row, name, words(person));
  row.querySelector("[data-now=gaps]")?.classList.toggle("console-bad", person.gap_count > 0);
  for (const [name, kind] of [["silence_ratio", "silence"], ["completeness", "completeness"]]) {
    const cell = row.querySelector(`[data-now="${name}"]`);
    if (cell && person[name] !== null) bar(cell, person[name], kind);
  }
}

export function showPeople(root, message) {
  const table = root.querySelector("#people");
  if (!table || !message.people.length) return;
  for (const person of message.people) showPerson(table, person, message.call.live);
  put(root, "as-of", message.reason ? _("As last heard.") : _("As of this second."));
}

/* Whether the table lacks somebody who has been heard. */
export function lacksPeople(root, message) {
  return message.people.some((one) => !root.querySelector(`#people [data-track="${CSS.escape(one.key)}"]`));
}

/* What we say into the call, and what waits for its turn. */
function speakingWords(said) {
  const now = said.filter((one) => !one.waits).map(({ name, seconds, of }) => {
    const values = { name, at: clock(seconds), of: clock(Math.ceil(of ?? 0)) };
    return fill(of === null ? _("We say: %(name)s, %(at)s") : _("We say: %(name)s, %(at)s of %(of)s"), values);
  });
  const then = said.filter((one) => one.waits).map(({ name }) => name);
  if (then.length) now.push(fill(_("then: %(names)s"), { names: then.join(", ") }));
  return now.join("; ");
}

/* What hears the call and speaks into it, and how it fares. */
function handlerWords(handler) {
  if (!handler) return "";
  if (handler.trouble) return handler.trouble;
  const words = fill(_("%(name)s hears this call"), { name: handler.name });
  return handler.dropped ? fill(_("%(words)s; %(count)s packets were too many for it"), { words, count: handler.dropped }) : words;
}

export function showFacts(root, message) {
  const { call } = message;
  if (!call.live) return;
  put(root, "seconds", clock(call.seconds));
  const complete = put(root, "completeness", percent(call.completeness));
  complete?.classList.toggle("console-bad", call.completeness !== null && call.completeness < 1);
  if (call.overtalk_ms !== null) put(root, "overtalk", brief(call.overtalk_ms / 1000));
  if (call.overtalk_ms && message.clock) put(root, "overtalk-share", `${percent(Math.min(call.overtalk_ms / 1000 / message.clock, 1))}, `);
  const isQuiet = call.quiet !== null && call.quiet > QUIET_SECONDS && call.streaming === "streaming" && !call.paused;
  const quiet = put(root, "quiet", isQuiet ? fill(_("no packet for %(age)s"), { age: age(call.quiet) }) : "");
  quiet?.classList.toggle("console-bad", isQuiet);
  put(root, "speaking", speakingWords(call.speaking ?? []));
  const handler = put(root, "handler", handlerWords(call.handler));
  handler?.classList.toggle("console-bad", Boolean(call.handler?.trouble));
  if (message.node) put(root, "node", message.node);
  const names = message.listeners;
  const words = names.length > 1 ? _("%(names)s are listening") : _("%(names)s is listening");
  put(root, "listeners", names.length ? fill(words, { names: [...new Set(names)].join(", ") }) : "");
}
