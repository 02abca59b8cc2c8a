/* The tables below: ingest processes, and calls that ended within the hour. */

import { $, element, mark, say } from "./dom.js";
import { _, age, clock, fill, number, percent } from "./text.js";
import { cell, chip, keyed, parties, row, setChip, setParties } from "./board_parts.js";
import { serverNow, state, words } from "./board_state.js";

function buildEnded(item) {
  const made = row();
  made.parts.state = chip();
  cell(made, "stateCell").append(made.parts.state);
  made.parts.names = parties(cell(made, "who"), item);
  for (const name of ["when", "duration", "silence", "complete"]) cell(made, name, "num");
  made.parts.archive = chip();
  cell(made, "archiveCell").append(made.parts.archive);
  cell(made, "reason", "console-dim");
  return made;
}

function fillEnded(made, item) {
  const parts = made.parts;
  made.item = item;
  setChip(parts.state, item.state, words.states[item.state]);
  setParties(parts.names, item);
  say(parts.duration, clock(item.seconds));
  say(parts.silence, percent(item.silence_ratio));
  say(parts.complete, percent(item.completeness));
  mark(parts.complete, "state", item.completeness !== null && item.completeness < 1 ? "bad" : "");
  setChip(parts.archive, item.archive, words.archive[item.archive]);
  say(parts.reason, item.reason);
}

function buildNode(item) {
  const made = row();
  made.removeAttribute("tabindex");
  made.parts.state = chip();
  cell(made, "stateCell").append(made.parts.state);
  cell(made, "node").textContent = fill(_("%(node)s, process %(pid)s"), item);
  for (const name of ["streams", "cpu", "lag", "rate", "left"]) cell(made, name, "num");
  cell(made, "reason", "console-dim");
  return made;
}

function fillNode(made, item) {
  const parts = made.parts;
  setChip(parts.state, item.state, item.state_label);
  say(parts.streams, fill(_("%(streams)s of %(limit)s"), { streams: number(item.streams), limit: number(item.limit) }));
  say(parts.cpu, `${number(100 * item.cpu)} %`);
  say(parts.lag, `${number(item.loop_lag_ms, 1)} ms`);
  say(parts.rate, `${number(item.disk_bytes_per_second / 1e6, 2)} MB/s`);
  const free = `${number(item.disk_free_bytes / 1e9, 1)} GB`;
  say(parts.left, item.disk_days === null ? free : `${free}, ${daysLeft(item.disk_days)}`);
  say(parts.reason, item.reason);
}

function daysLeft(days) {
  if (days >= 1) return fill(_("%(n)s days"), { n: number(days, days < 10 ? 1 : 0) });
  return fill(_("%(n)s hours"), { n: number(days * 24, 1) });
}

export function showOther() {
  const { ended, nodes } = state.snapshot;
  keyed($("ended").tBodies[0], ended, (item) => item.id, buildEnded, fillEnded);
  keyed($("nodes").tBodies[0], nodes, (item) => item.key, buildNode, fillNode);
  $("nodes-section").hidden = nodes.length === 0;
  $("ended-section").hidden = ended.length === 0;
}

export function tickOther() {
  const now = serverNow();
  for (const made of $("ended").tBodies[0].rows) {
    say(made.parts.when, fill(_("%(age)s ago"), { age: age(now - made.item.ended_at) }));
  }
}

export const endedRows = () => [...$("ended").tBodies[0].rows];
