/* One live call as a row: built once, then filled from each snapshot. */

import { element, mark, say, sign } from "./dom.js";
import { _, age, clock, fill, number, percent, several } from "./text.js";
import { cell, chip, keyed, orderButton, parties, row, setChip, setParties, setTitle, toneOf } from "./board_parts.js";
import { mayListen, rights, serverNow, silentFor, urlOf, words } from "./board_state.js";
import { openMenu, order } from "./board_orders.js";

const QUIET_SECONDS = 3;
const TRACKS_SHOWN = 2;
const LEAVING_SECONDS = 10; // as `calls.board.facts` has it
const RUNNING = ["requested", "connecting", "streaming", "stalled", "failed"];

export function buildCall(item, { pin }) {
  const made = row();
  const parts = made.parts;
  parts.pin = element("button", "board-pin");
  parts.pin.type = "button";
  parts.pin.append(sign("star"));
  parts.pin.addEventListener("click", () => pin(item.id));
  parts.state = chip();
  cell(made, "stateCell", "state").append(parts.pin, parts.state);
  parts.names = parties(cell(made, "who", "who"), item);
  cell(made, "duration", "num");
  buildStreaming(cell(made, "streamingCell", "streaming"), parts);
  cell(made, "people", "people");
  parts.lines = element("div", "board-tracks");
  parts.none = element("span", "console-dim");
  parts.more = element("span", "board-more");
  parts.people.append(parts.lines, parts.none, parts.more);
  cell(made, "complete", "num complete");
  const last = cell(made, "lastCell", "num last");
  parts.last = element("span");
  parts.malformed = element("small");
  parts.malformed.title = _("Messages that could not be read");
  last.append(parts.last, parts.malformed);
  buildAlarms(cell(made, "alarmCell", "alarms"), parts, item);
  buildOrders(cell(made, "orders", "orders"), made, item);
  return made;
}

function buildStreaming(parent, parts) {
  parts.streaming = chip();
  parts.wanted = element("span", "console-dim");
  parts.paused = element("div", "console-paused");
  parts.reason = element("div", "console-reason");
  parent.append(parts.streaming, " ", parts.wanted, parts.paused, parts.reason);
}

function buildAlarms(parent, parts, item) {
  parts.alarms = element("a", "board-alarms");
  parts.alarms.href = urlOf(item.id);
  parts.alarmCount = element("b");
  parts.alarms.append(sign("warning"), parts.alarmCount);
  parts.heard = element("span", "board-heard");
  parts.heardCount = element("b");
  parts.heard.append(sign("headphones"), parts.heardCount);
  parts.heard.setAttribute("role", "img");
  parts.says = element("span", "board-heard");
  parts.says.append(sign("campaign"));
  parts.says.setAttribute("role", "img");
  parent.append(parts.alarms, parts.heard, parts.says);
}

function buildOrders(parent, made, item) {
  const parts = made.parts;
  const buttons = element("div", "board-buttons");
  if (mayListen) {
    parts.listen = element("a", "console-order");
    parts.listen.href = `${urlOf(item.id)}#listen`;
    parts.listen.title = _("Listen to this call");
    parts.listen.append(sign("hearing"), element("span", "", _("Listen")));
    buttons.append(parts.listen);
  }
  if (rights.start_streaming || rights.resume) {
    parts.toggle = orderButton();
    parts.toggle.addEventListener("click", () => order(made, parts.toggle.dataset.kind));
    buttons.append(parts.toggle);
  }
  if (rights.hang_up) {
    parts.hangUp = orderButton("call_end", _("Hang up"), "danger");
    parts.hangUp.title = _("Hang up for everyone");
    parts.hangUp.addEventListener("click", () => order(made, "hang_up"));
    buttons.append(parts.hangUp);
  }
  if (Object.keys(rights).length) {
    parts.menu = orderButton("more_horiz", _("More"));
    parts.menu.classList.add("sign");
    parts.menu.title = _("More orders");
    parts.menu.setAttribute("aria-haspopup", "menu");
    parts.menu.addEventListener("click", () => openMenu(made));
    buttons.append(parts.menu);
  }
  parts.buttons = buttons;
  parts.command = element("div", "console-reason");
  parent.append(buttons, parts.command);
}

function buildTrack() {
  const line = element("div", "console-track");
  line.parts = {
    name: element("span", "name"),
    level: element("i", "console-meter level"),
    silence: element("span", "silence"),
    bar: element("i", "console-meter"),
    ratio: element("b"),
  };
  line.parts.silence.append(line.parts.bar, line.parts.ratio);
  line.append(line.parts.name, line.parts.level, line.parts.silence);
  return line;
}

function fillTrack(line, track) {
  const parts = line.parts;
  say(parts.name, track.name);
  const talked = fill(_("%(packets)s packets, %(talk)s talk time"), {
    packets: number(track.packets), talk: clock(track.talk_ms / 1000),
  });
  const gaps = track.gap_count ? `, ${several("%(n)s gap", "%(n)s gaps", track.gap_count)} (${number(track.gap_ms)} ms)` : "";
  setTitle(line, `${track.key}\n${talked}${gaps}`);
  // -60 dBFS, as good as nothing, to full scale.
  setShare(parts.level, Math.max(0, 1 + (track.rms_dbfs ?? -60) / 60));
  setTitle(parts.level, track.rms_dbfs === null ? _("no level") : `${track.rms_dbfs.toFixed(1)} dBFS`);
  setShare(parts.bar, track.silence_ratio ?? 0);
  say(parts.ratio, percent(track.silence_ratio));
  mark(line, "talking", track.talking);
  mark(line, "gaps", track.gap_count > 0);
}

function setShare(node, share) {
  const text = share.toFixed(2);
  if (node.share !== text) {
    node.share = text;
    node.style.setProperty("--share", text);
  }
}

export function fillCall(made, item, { pinned, selected }) {
  const parts = made.parts;
  made.item = item;
  const over = item.ended_at !== undefined;
  setChip(parts.state, item.state, words.states[item.state]);
  setParties(parts.names, item);
  parts.pin.setAttribute("aria-pressed", String(pinned));
  parts.pin.setAttribute("aria-label", pinned ? _("Unpin this call") : _("Pin this call to the top"));
  setChip(parts.streaming, item.streaming, words.streaming[item.streaming]);
  const agrees = item.desired === RUNNING.includes(item.streaming);
  say(parts.wanted, over || (agrees && item.streaming !== "failed") ? "" : item.desired ? _("wanted on") : _("wanted off"));
  say(parts.paused, item.paused ?? "");
  setTitle(parts.paused, item.paused ?? "");
  say(parts.reason, item.streaming_reason ?? "");
  setTitle(parts.reason, item.streaming_reason ?? "");
  fillPeople(parts, item);
  say(parts.complete, percent(item.completeness));
  mark(parts.complete, "state", item.completeness !== null && item.completeness < 1 ? "bad" : "");
  say(parts.malformed, item.malformed ? fill(_("%(n)s malformed"), { n: number(item.malformed) }) : "");
  mark(parts.malformed, "state", item.malformed ? "bad" : "");
  mark(made, "measured", item.measured);
  mark(made, "over", over);
  if (selected) made.setAttribute("aria-current", "true");
  else made.removeAttribute("aria-current");
  fillAlarms(parts, item);
  fillOrders(parts, item, over);
}

function fillPeople(parts, item) {
  const tracks = item.tracks ?? [];
  keyed(parts.lines, tracks.slice(0, TRACKS_SHOWN), (track) => track.key, buildTrack, fillTrack);
  say(parts.none, item.tracks === null ? "…" : tracks.length ? "" : _("no audio yet"));
  const rest = tracks.slice(TRACKS_SHOWN);
  say(parts.more, rest.length ? `+${rest.length}` : "");
  setTitle(parts.more, rest.map((track) => track.name).join(", "));
}

function fillAlarms(parts, item) {
  const { alarms, listeners, speaking } = item;
  parts.alarms.hidden = !alarms;
  parts.heard.hidden = !listeners;
  parts.says.hidden = !speaking;
  if (alarms) {
    say(parts.alarmCount, number(alarms.count));
    mark(parts.alarms, "severity", alarms.severity);
    const rest = alarms.count - alarms.words.length;
    const told = [...alarms.words, ...(rest > 0 ? [fill(_("and %(n)s more"), { n: rest })] : [])].join("\n");
    setTitle(parts.alarms, told);
    const count = several("%(n)s alarm", "%(n)s alarms", alarms.count);
    parts.alarms.setAttribute("aria-label", `${count}, ${words.severities[alarms.severity]}: ${told}`);
  }
  if (listeners) {
    say(parts.heardCount, number(listeners.length));
    const told = fill(_("Listening: %(names)s"), { names: listeners.join(", ") });
    setTitle(parts.heard, told);
    parts.heard.setAttribute("aria-label", told);
  }
  if (speaking) {
    const told = fill(_("We say: %(name)s"), { name: speaking });
    setTitle(parts.says, told);
    parts.says.setAttribute("aria-label", told);
  }
}

const TOGGLES = {
  resume: ["resume", _("Resume")],
  stop_streaming: ["stop", _("Stop")],
  start_streaming: ["play_arrow", _("Start")],
};

function fillOrders(parts, item, over) {
  parts.buttons.hidden = over;
  if (parts.listen) parts.listen.hidden = !item.tracks?.length;
  if (parts.toggle) {
    const kind = item.paused ? "resume" : item.desired ? "stop_streaming" : "start_streaming";
    const [icon, text] = TOGGLES[kind];
    mark(parts.toggle, "kind", kind);
    parts.toggle.hidden = !rights[kind];
    say(parts.toggle.firstChild, icon);
    say(parts.toggle.lastChild, text);
    setTitle(parts.toggle, rights[kind]?.title ?? "");
  }
  const command = over ? undefined : item.command;
  say(parts.command, command ? `${command.label}: ${command.state_label.toLowerCase()}` : "");
  setTitle(parts.command, command?.result ?? "");
  mark(parts.command, "state", command && toneOf(command.state) === "bad" ? "bad" : "");
}

/* What changes between snapshots: time. */
export function tickCall(made) {
  const { item, parts } = made;
  if (item.ended_at !== undefined) fade(made);
  say(parts.duration, clock((item.ended_at ?? serverNow()) - item.since));
  // Measured by ingest at its own moment; it grows here only when snapshots fail.
  const missed = Math.max(0, silentFor() - 2);
  const quiet = item.quiet === null ? null : item.quiet + missed;
  const streams = item.ended_at === undefined && ["streaming", "stalled"].includes(item.streaming);
  say(parts.last, quiet === null ? "–" : age(quiet));
  mark(parts.lastCell, "state", streams && quiet !== null && quiet > QUIET_SECONDS ? "bad" : "");
}

/* By the time it was first seen to be over: the end itself may be told late. */
function fade(made) {
  made.overSince ??= serverNow();
  const left = 1 - (serverNow() - made.overSince) / LEAVING_SECONDS;
  made.style.setProperty("--left", (0.2 + 0.6 * Math.max(0, left)).toFixed(1));
}
