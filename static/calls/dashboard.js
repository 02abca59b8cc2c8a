/* The live dashboard: renders whole snapshots into rows that stay.
 *
 * Rows are keyed by call id and only changed texts are touched, so focus, hover and
 * selection survive each second. Data enters the page as text, never as HTML.
 */

const $ = (id) => document.getElementById(id);
const rights = JSON.parse($("dashboard-rights").textContent);
const { give, offered, ask } = await import($("dashboard").dataset.orders);

const STALE_SECONDS = 3;
const QUIET_SECONDS = 3;
const BACKOFF = [1, 2, 4, 8, 15];
const FADE_MS = 1500;

let snapshot = JSON.parse($("dashboard-first").textContent);
let heardAt = null; // performance.now() when the last snapshot came over the socket
let openedAt = performance.now();
let socketUp = false;
let attempt = 0;

// --- small helpers ----------------------------------------------------------------

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/* Setting what is already there would still cost layout, and drop a text selection. */
function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function mark(node, name, value) {
  if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

function age(seconds) {
  if (seconds < 0.95) return "now";
  return seconds < 60 ? `${Math.round(seconds)} s` : clock(seconds);
}

/* 99.96 % is not the whole. */
function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share >= 1 || share <= 0) return `${Math.round(share * 100)} %`;
  return `${Math.min(share * 100, 99.9).toFixed(1)} %`;
}

function number(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en", { maximumFractionDigits: digits }).replaceAll(",", "\u202f");
}

/* The server's clock now, whatever this machine's says. */
let skew = 0;
const serverNow = () => Date.now() / 1000 + skew;

// --- cards ------------------------------------------------------------------------

const CARDS = [
  ["live_calls", "Live calls", (c) => number(c.live_calls)],
  ["streams", "Streams", (c) => number(c.streams), (c) => (c.refused ? `${number(c.refused)} refused` : "")],
  ["packets", "Packets / s", (c) => number(c.packets_per_second)],
  ["silence", "Silence", (c) => percent(c.silence_ratio)],
  ["incomplete", "Incomplete, 24 h", (c) => number(c.incomplete), null, (c) => (c.incomplete ? "bad" : "")],
  ["processes", "Ingest", (c) => number(c.processes),
    (c) => c.journal_error || (c.processes_dead ? `${c.processes_dead} died` : c.processes === 1 ? "process" : "processes"),
    (c) => (c.journal_error || c.processes_dead || !c.processes ? "bad" : "good")],
  ["workers", "Workers", (c) => (c.workers === null ? "–" : number(c.workers)),
    (c) => (c.workers === null ? "not known" : c.workers ? "up" : "none answers"),
    (c) => (c.workers === null ? "" : c.workers ? "good" : "bad")],
  ["redis", "Redis", (c, live) => (live ? "Up" : socketUp ? "Down" : "–"), null, (c, live) => (live ? "good" : socketUp ? "bad" : "")],
];
const CARD_LINKS = {
  live_calls: "calls/call/?live=yes",
  incomplete: "calls/call/?complete=no&live=no",
  processes: "calls/ingestprocess/",
  streams: "calls/connection/",
};

const cards = new Map();
for (const [key, title] of CARDS) {
  const box = element("div", "console-card");
  const term = element("dt");
  if (CARD_LINKS[key]) {
    const link = element("a", "", title);
    link.href = CARD_LINKS[key];
    term.append(link);
  } else {
    term.textContent = title;
  }
  const value = element("dd", "value");
  const note = element("dd", "note");
  box.append(term, value, note);
  $("cards").append(box);
  cards.set(key, { box, value, note });
}

function showCards() {
  for (const [key, , value, note, state] of CARDS) {
    const card = cards.get(key);
    say(card.value, value(snapshot.cards, snapshot.live));
    say(card.note, note ? note(snapshot.cards, snapshot.live) : "");
    mark(card.box, "state", state ? state(snapshot.cards, snapshot.live) : "");
  }
}

// --- rows by key ------------------------------------------------------------------

/* Keep one child per item, in the items' order; build new ones, fade old ones out. */
function keyed(parent, items, key, build, fill, { fade = false } = {}) {
  const known = new Map([...parent.children].map((row) => [row.dataset.key, row]));
  let before = parent.firstElementChild;
  for (const item of items) {
    let row = known.get(key(item));
    if (row) {
      known.delete(key(item));
      row.classList.remove("leaving");
    } else {
      row = build(item);
      row.dataset.key = key(item);
    }
    while (before && before.classList.contains("leaving")) before = before.nextElementSibling;
    if (row === before) before = before.nextElementSibling;
    else parent.insertBefore(row, before);
    fill(row, item);
  }
  for (const row of known.values()) {
    if (!fade) row.remove();
    else if (!row.classList.contains("leaving")) {
      row.classList.add("leaving");
      setTimeout(() => row.classList.contains("leaving") && row.remove(), FADE_MS);
    }
  }
}

function cell(row, name, className) {
  const made = element("td", className);
  row.append(made);
  row.parts[name] = made;
  return made;
}

function chip() {
  return element("span", "console-chip");
}

const GOOD = new Set(["ok", "connected", "streaming", "finished", "confirmed"]);
const BAD = new Set(["full", "stalled", "failed", "timed_out"]);
const BUSY = new Set(["near", "ringing", "answering", "requested", "connecting", "stopping", "pending", "queued", "sent"]);

function setChip(node, state, text) {
  say(node, text);
  mark(node, "tone", GOOD.has(state) ? "good" : BAD.has(state) ? "bad" : BUSY.has(state) ? "busy" : "plain");
}

function parties(cellNode, item) {
  const link = element("a", "console-parties");
  link.href = item.url;
  const from = element("span");
  from.textContent = item.from_name;
  from.title = item.from_raw || "";
  const to = element("span");
  to.textContent = item.to_name;
  to.title = item.to_raw || "";
  const arrow = element("span", "console-direction", item.direction === "outbound" ? "↗" : "↘");
  arrow.title = item.direction === "outbound" ? "Outbound" : "Inbound";
  link.append(arrow, from, element("span", "console-dim", "→"), to);
  cellNode.append(link);
  return { link, from, to };
}

// --- live calls -------------------------------------------------------------------

function buildCall(item) {
  const row = element("tr", "console-row");
  row.parts = {};
  row.tabIndex = -1;
  row.parts.state = chip();
  cell(row, "stateCell").append(row.parts.state);
  row.parts.names = parties(cell(row, "who"), item);
  cell(row, "duration", "num");
  const streaming = cell(row, "streamingCell", "streaming");
  row.parts.streaming = chip();
  row.parts.wanted = element("span", "console-dim");
  row.parts.paused = element("div", "console-paused");
  row.parts.reason = element("div", "console-reason");
  streaming.append(row.parts.streaming, " ", row.parts.wanted, row.parts.paused, row.parts.reason);
  cell(row, "people", "people");
  cell(row, "complete", "num");
  const last = cell(row, "lastCell", "num last");
  row.parts.last = element("span");
  row.parts.malformed = element("small");
  row.parts.malformed.title = "Messages that could not be read";
  last.append(row.parts.last, row.parts.malformed);
  const orders = cell(row, "orders", "orders");
  if (rights.start_streaming || rights.resume) {
    row.parts.toggle = orderButton();
    row.parts.toggle.addEventListener("click", () => order(row, row.parts.toggle.dataset.kind));
    orders.append(row.parts.toggle);
  }
  if (rights.hang_up) {
    row.parts.hangUp = orderButton("call_end", "Hang up", "danger");
    row.parts.hangUp.title = "Hang up for everyone";
    row.parts.hangUp.addEventListener("click", () => order(row, "hang_up"));
    orders.append(row.parts.hangUp);
  }
  if (Object.keys(rights).length) {
    row.parts.more = orderButton("more_horiz", "More");
    row.parts.more.classList.add("sign");
    row.parts.more.title = "More orders";
    row.parts.more.setAttribute("aria-haspopup", "menu");
    row.parts.more.addEventListener("click", () => openMenu(row));
    orders.append(row.parts.more);
  }
  row.parts.command = element("div", "console-reason");
  orders.append(row.parts.command);
  return row;
}

function orderButton(icon = "", text = "", tone = "") {
  const button = element("button", `console-order ${tone}`);
  button.type = "button";
  const sign = element("span", "material-symbols-outlined", icon);
  sign.setAttribute("aria-hidden", "true");
  button.append(sign, element("span", "", text));
  return button;
}

function buildTrack() {
  const line = element("div", "console-track");
  line.parts = { name: element("span", "name"), level: element("i", "console-meter level"), silence: element("span", "silence") };
  line.parts.bar = element("i", "console-meter");
  line.parts.ratio = element("b");
  line.parts.silence.append(line.parts.bar, line.parts.ratio);
  line.append(line.parts.name, line.parts.level, line.parts.silence);
  return line;
}

function fillTrack(line, track) {
  say(line.parts.name, track.name);
  line.title = `${track.key}\n${number(track.packets)} packets, ${clock(track.talk_ms / 1000)} talk time` +
    (track.gap_count ? `, ${track.gap_count} gaps (${number(track.gap_ms)} ms)` : "");
  // -60 dBFS, as good as nothing, to full scale.
  const level = Math.max(0, 1 + (track.rms_dbfs ?? -60) / 60);
  line.parts.level.style.setProperty("--share", level.toFixed(3));
  line.parts.level.title = track.rms_dbfs === null ? "no level" : `${track.rms_dbfs.toFixed(1)} dBFS`;
  const share = track.silence_ratio ?? 0;
  line.parts.bar.style.setProperty("--share", share.toFixed(3));
  say(line.parts.ratio, percent(track.silence_ratio));
  mark(line, "talking", track.talking);
  mark(line, "gaps", track.gap_count > 0);
}

function fillCall(row, item) {
  const parts = row.parts;
  row.item = item;
  setChip(parts.state, item.state, item.state_label);
  say(parts.names.from, item.from_name);
  say(parts.names.to, item.to_name);
  if (parts.names.link.getAttribute("href") !== item.url) parts.names.link.href = item.url;
  setChip(parts.streaming, item.streaming, item.streaming_label);
  const agrees = item.desired === ["requested", "connecting", "streaming", "stalled", "failed"].includes(item.streaming);
  say(parts.wanted, agrees && item.streaming !== "failed" ? "" : item.desired ? "wanted on" : "wanted off");
  say(parts.paused, item.paused ?? "");
  say(parts.reason, item.streaming_reason);
  if (!item.tracks.length) {
    parts.people.replaceChildren(element("span", "console-dim", "no audio yet"));
  } else {
    if (!parts.people.querySelector(".console-track")) parts.people.replaceChildren();
    keyed(parts.people, item.tracks, (track) => track.key, buildTrack, fillTrack);
  }
  say(parts.complete, percent(item.completeness));
  mark(parts.complete, "state", item.completeness !== null && item.completeness < 1 ? "bad" : "");
  say(parts.malformed, item.malformed ? `${number(item.malformed)} malformed` : "");
  mark(parts.malformed, "state", item.malformed ? "bad" : "");
  mark(row, "measured", item.measured);
  fillOrders(parts, item);
}

function fillOrders(parts, item) {
  if (parts.toggle) {
    const kind = item.paused ? "resume" : item.desired ? "stop_streaming" : "start_streaming";
    const [icon, text] = { resume: ["resume", "Resume"], stop_streaming: ["stop", "Stop"], start_streaming: ["play_arrow", "Start"] }[kind];
    mark(parts.toggle, "kind", kind);
    parts.toggle.hidden = !rights[kind];
    say(parts.toggle.firstChild, icon);
    say(parts.toggle.lastChild, text);
    parts.toggle.title = rights[kind]?.title ?? "";
  }
  const command = item.command;
  const told = command && command.state !== "confirmed";
  say(parts.command, told ? `${command.label}: ${command.state_label.toLowerCase()}` : "");
  parts.command.title = told ? command.result : "";
  mark(parts.command, "state", told && BAD.has(command.state) ? "bad" : "");
}

/* What changes between snapshots: time. */
function tick() {
  const now = serverNow();
  const missed = Math.max(0, (performance.now() - (heardAt ?? openedAt)) / 1000 - 2);
  for (const row of $("live").tBodies[0].rows) {
    const item = row.item;
    if (row.classList.contains("leaving")) continue;
    say(row.parts.duration, clock(now - item.since));
    // Measured by ingest at its own moment; it grows here only when snapshots fail.
    const quiet = item.quiet === null ? null : item.quiet + missed;
    const late = quiet !== null && quiet > QUIET_SECONDS && ["streaming", "stalled"].includes(item.streaming);
    say(row.parts.last, quiet === null ? "–" : age(quiet));
    mark(row.parts.lastCell, "state", late ? "bad" : "");
  }
  for (const row of $("ended").tBodies[0].rows) {
    say(row.parts.when, `${age(now - row.item.ended_at)} ago`);
  }
  showFeed();
}

// --- ended calls ------------------------------------------------------------------

function buildEnded(item) {
  const row = element("tr", "console-row");
  row.parts = {};
  row.tabIndex = -1;
  row.parts.state = chip();
  cell(row, "stateCell").append(row.parts.state);
  row.parts.names = parties(cell(row, "who"), item);
  for (const name of ["when", "duration", "silence", "complete"]) cell(row, name, "num");
  row.parts.archive = chip();
  cell(row, "archiveCell").append(row.parts.archive);
  cell(row, "reason", "console-dim");
  return row;
}

function fillEnded(row, item) {
  row.item = item;
  setChip(row.parts.state, item.state, item.state_label);
  say(row.parts.duration, clock(item.seconds));
  say(row.parts.silence, percent(item.silence_ratio));
  say(row.parts.complete, percent(item.completeness));
  mark(row.parts.complete, "state", item.completeness !== null && item.completeness < 1 ? "bad" : "");
  setChip(row.parts.archive, item.archive, item.archive_label);
  say(row.parts.reason, item.reason);
}

// --- ingest processes -------------------------------------------------------------

function buildNode(item) {
  const row = element("tr", "console-row");
  row.parts = {};
  row.parts.state = chip();
  cell(row, "stateCell").append(row.parts.state);
  cell(row, "node").textContent = `${item.node}, process ${item.pid}`;
  for (const name of ["streams", "cpu", "lag", "rate", "left"]) cell(row, name, "num");
  cell(row, "reason", "console-dim");
  return row;
}

function fillNode(row, item) {
  setChip(row.parts.state, item.state, item.state_label);
  say(row.parts.streams, `${number(item.streams)} of ${number(item.limit)}`);
  say(row.parts.cpu, `${number(100 * item.cpu)} %`);
  say(row.parts.lag, `${number(item.loop_lag_ms, 1)} ms`);
  say(row.parts.rate, `${number(item.disk_bytes_per_second / 1e6, 2)} MB/s`);
  const free = `${number(item.disk_free_bytes / 1e9, 1)} GB`;
  say(row.parts.left, item.disk_days === null ? free : `${free}, ${daysLeft(item.disk_days)}`);
  say(row.parts.reason, item.reason);
}

function daysLeft(days) {
  if (days >= 1) return `${number(days, days < 10 ? 1 : 0)} days`;
  return `${number(days * 24, 1)} hours`;
}

// --- one snapshot -----------------------------------------------------------------

function show() {
  showCards();
  keyed($("live").tBodies[0], snapshot.calls, (item) => item.id, buildCall, fillCall, { fade: true });
  keyed($("ended").tBodies[0], snapshot.ended, (item) => item.id, buildEnded, fillEnded);
  keyed($("nodes").tBodies[0], snapshot.nodes, (item) => item.key, buildNode, fillNode);
  $("nodes-section").hidden = snapshot.nodes.length === 0;
  $("live-none").hidden = $("live").tBodies[0].rows.length > 0;
  $("ended-section").hidden = snapshot.ended.length === 0;
  tick();
}

/* Say how far what is shown can be trusted. */
function showFeed() {
  const since = (performance.now() - (heardAt ?? openedAt)) / 1000;
  const silent = since > STALE_SECONDS;
  const banner = $("feed-banner");
  let title = "";
  let detail = "";
  if (silent && heardAt !== null) {
    title = `Live feed down for ${age(since)}.`;
    detail = "What you see is that old. Trying to reconnect.";
  } else if (silent) {
    title = "No live feed yet.";
    detail = "What you see was true when this page was loaded. Trying to connect.";
  } else if (heardAt !== null && (!snapshot.live || snapshot.reason)) {
    title = snapshot.live ? "Part of the system is down." : "Live figures are down.";
    detail = snapshot.reason;
  }
  banner.hidden = !title;
  say($("feed-title"), title);
  say($("feed-detail"), detail);
  const state = title ? "down" : heardAt === null ? "waiting" : "live";
  mark($("feed-state"), "state", state);
  say($("feed-state"), { down: "not live", waiting: "connecting", live: "live" }[state]);
  mark($("dashboard"), "stale", silent);
}

// --- the socket -------------------------------------------------------------------

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  const socket = new WebSocket(`${scheme}://${location.host}/ws/dashboard`);
  // A half-open connection never closes by itself: silence is what tells.
  let silence = setTimeout(() => socket.close(), 10000);
  socket.addEventListener("message", (event) => {
    clearTimeout(silence);
    silence = setTimeout(() => socket.close(), 10000);
    attempt = 0;
    socketUp = true;
    snapshot = JSON.parse(event.data);
    skew = snapshot.at - Date.now() / 1000;
    heardAt = performance.now();
    show();
  });
  socket.addEventListener("close", () => {
    clearTimeout(silence);
    socketUp = false;
    const wait = BACKOFF[Math.min(attempt, BACKOFF.length - 1)];
    attempt += 1;
    // Not all browsers of a control room in the same instant.
    setTimeout(connect, wait * 1000 * (0.75 + Math.random() / 2));
  });
}

// --- orders -----------------------------------------------------------------------

async function order(row, kind) {
  const call = row.item;
  const who = `${call.from_name} → ${call.to_name}`;
  const dialog = rights[kind];
  const buttons = row.querySelectorAll("button");
  let said;
  if (dialog.dialog) {
    said = await ask(dialog, who, (given) => give(call.id, kind, given));
    if (said === null) return;
  } else {
    buttons.forEach((button) => { button.disabled = true; });
    said = await give(call.id, kind);
    buttons.forEach((button) => { button.disabled = false; });
  }
  if (said.ok) toast(`${said.label}: ${said.state_label.toLowerCase()}`, who, "good");
  else toast(said.reason, who, "bad");
}

/* All orders about the row's call; those that make no sense now say why. */
async function openMenu(row) {
  const who = `${row.item.from_name} → ${row.item.to_name}`;
  const found = await offered(row.item.id);
  if (!found) return toast("The console cannot be reached.", who, "bad");
  const menu = element("dialog", "console-menu");
  menu.setAttribute("aria-label", `Orders: ${who}`);
  for (const command of found.commands) {
    if (!command.may || command.per_participant || !rights[command.kind]) continue;
    const button = orderButton(command.icon, command.label, command.danger ? "danger" : "");
    if (command.refusal) {
      button.setAttribute("aria-disabled", "true");
      button.append(element("small", "", command.refusal));
    }
    button.addEventListener("click", () => {
      if (command.refusal) return;
      menu.close();
      order(row, command.kind);
    });
    menu.append(button);
  }
  const link = element("a", "console-link", "Participants are controlled on the call's page");
  link.href = row.item.url;
  menu.append(link);
  menu.addEventListener("click", (event) => event.target === menu && menu.close());
  menu.addEventListener("keydown", moveInMenu);
  menu.addEventListener("close", () => {
    menu.remove();
    if (!document.querySelector("dialog[open]")) row.parts.more.focus();
  });
  document.body.append(menu);
  menu.showModal();
  const from = row.parts.more.getBoundingClientRect();
  menu.style.left = `${Math.max(8, from.right - menu.offsetWidth)}px`;
  menu.style.top = `${Math.max(8, Math.min(from.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
}

function moveInMenu(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll("button, a")];
  const at = items.indexOf(document.activeElement);
  items[(at + step + items.length) % items.length].focus();
}

function toast(text, detail, tone) {
  const box = element("div", "console-toast");
  box.dataset.tone = tone;
  box.append(element("b", "", text), element("span", "", detail));
  $("toasts").append(box);
  setTimeout(() => box.remove(), tone === "bad" ? 9000 : 5000);
}

// --- keyboard ---------------------------------------------------------------------

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, textarea, select, dialog, [contenteditable]");
  if (typing || event.metaKey || event.ctrlKey || event.altKey) return;
  const step = { j: 1, k: -1 }[event.key];
  if (step) {
    const rows = [...document.querySelectorAll("#live tbody tr, #ended tbody tr")];
    const at = rows.indexOf(document.activeElement?.closest("tr"));
    const next = rows[Math.min(Math.max(at + step, 0), rows.length - 1)];
    next?.focus();
    event.preventDefault();
  } else if (event.key === "Enter" && event.target.matches("tr.console-row")) {
    location.href = event.target.item.url;
  }
});

show();
setInterval(tick, 500);
connect();
