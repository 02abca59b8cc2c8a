/* The socket, and how far what is shown can be trusted. */

import { $, mark, say } from "./dom.js";
import { _, age, fill } from "./text.js";
import { silentFor, state } from "./board_state.js";
import { told } from "./board_view.js";
import { toast } from "./board_orders.js";
import { FORBIDDEN } from "./close_codes.js";

const STALE_SECONDS = 3;
const BACKOFF = [1, 2, 4, 8, 15];
const TELL_MS = 100;

let socket = null;
let attempt = 0;
let number = 0;
let timer = null;
let toldAt = -Infinity;

export function connect(onSnapshot) {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/ws/dashboard`);
  const mine = socket;
  // A half-open connection never closes by itself: silence is what tells.
  let silence = setTimeout(() => mine.close(), 10000);
  mine.addEventListener("open", send);
  mine.addEventListener("message", (event) => {
    clearTimeout(silence);
    silence = setTimeout(() => mine.close(), 10000);
    hear(JSON.parse(event.data), onSnapshot);
  });
  mine.addEventListener("close", ({ code }) => {
    clearTimeout(silence);
    // Signed out, or not allowed any more: the page itself says which.
    if (code === FORBIDDEN) return location.reload();
    state.socketUp = false;
    const wait = BACKOFF[Math.min(attempt, BACKOFF.length - 1)];
    attempt += 1;
    // Not all browsers of a control room in the same instant.
    return setTimeout(() => connect(onSnapshot), wait * 1000 * (0.75 + Math.random() / 2));
  });
}

function hear(message, onSnapshot) {
  if (message.error) return toast(_("The console did not understand this page."), message.error, "bad");
  // Sent before the server knew our view: all calls, of which the next shows ours.
  if (message.number === 0) return;
  attempt = 0;
  state.socketUp = true;
  state.snapshot = message;
  state.trend = message.trend ?? state.trend;
  state.skew = message.at - Date.now() / 1000;
  state.heardAt = performance.now();
  onSnapshot(Boolean(message.trend));
}

/* Have the server know the view, soon: a hand on the scroll bar moves many times. */
export function tell() {
  if (timer !== null) return;
  timer = setTimeout(send, Math.max(0, toldAt + TELL_MS - performance.now()));
}

function send() {
  clearTimeout(timer);
  timer = null;
  if (socket.readyState !== WebSocket.OPEN) return; // told once it is open
  toldAt = performance.now();
  number += 1;
  socket.send(JSON.stringify(told(number)));
}

/* Red, with the age of what is shown, as soon as it is not live. */
export function showFeed() {
  const since = silentFor();
  const silent = since > STALE_SECONDS;
  const [title, detail] = trouble(since, silent);
  $("feed-banner").hidden = !title;
  say($("feed-title"), title);
  say($("feed-detail"), detail);
  const feed = title ? "down" : state.heardAt === null ? "waiting" : "live";
  mark($("feed-state"), "state", feed);
  say($("feed-state"), { down: _("not live"), waiting: _("connecting"), live: _("live") }[feed]);
  mark($("dashboard"), "stale", silent);
}

function trouble(since, silent) {
  const { live, reason } = state.snapshot;
  if (silent && state.heardAt !== null) {
    return [
      fill(_("Live feed down for %(age)s."), { age: age(since) }),
      _("What you see is that old. Trying to reconnect."),
    ];
  }
  if (silent) {
    return [_("No live feed yet."), _("What you see was true when this page was loaded. Trying to connect.")];
  }
  if (state.heardAt !== null && !live) return [_("Live figures are down."), reason];
  if (state.heardAt !== null && reason) return [_("Part of the system is down."), reason];
  return ["", ""];
}
