/* The socket to /ws/listen or /ws/talk: dials, dials again, knows the server's clock. */

import { ENDED, FORBIDDEN, NOT_NOTED } from "./close_codes.js";
import { framesOf } from "./listen_frames.js";

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15000;
const PING_MS = 5000;
const PINGS = 6;
/* Codes after which dialling again would change nothing. */
const FINAL = new Set([FORBIDDEN, ENDED, NOT_NOTED]);

export class Link {
  /* `told(message)` gets what the server says, `heard(buffer, frames)` its audio,
   * `changed(state, code)` one of "connecting", "open", "lost", "closed". */
  constructor(path, { told, heard, changed }) {
    this.url = new URL(path, location.href.replace(/^http/, "ws")).href;
    this.told = told;
    this.heard = heard;
    this.changed = changed;
    this.wait = FIRST_WAIT_MS;
    this.messages = 0;
    this.clocks = [];
    this.isOver = false;
    this.dial();
  }

  dial() {
    this.changed("connecting");
    this.messages = 0;
    this.clocks = [];
    const socket = new WebSocket(this.url);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.wait = FIRST_WAIT_MS;
      this.ping();
      this.pings = setInterval(() => this.ping(), PING_MS);
      this.changed("open");
    };
    socket.onmessage = ({ data }) => this.take(data);
    socket.onclose = ({ code }) => this.lost(code);
    this.socket = socket;
  }

  lost(code) {
    clearInterval(this.pings);
    if (this.isOver) return;
    if (FINAL.has(code)) {
      this.isOver = true;
      this.changed("closed", code);
      return;
    }
    this.changed("lost", code);
    // Everybody's sockets end together when a server restarts: not all at once again.
    this.again = setTimeout(() => this.dial(), this.wait * (0.75 + Math.random() / 2));
    this.wait = Math.min(this.wait * 2, LONGEST_WAIT_MS);
  }

  close() {
    this.isOver = true;
    clearTimeout(this.again);
    clearInterval(this.pings);
    this.socket.close(1000);
  }

  say(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /* Send bytes; say whether they left, or at least wait for no more than `most` others. */
  give(bytes, most) {
    if (this.socket.readyState !== WebSocket.OPEN || this.socket.bufferedAmount > most) return false;
    this.socket.send(bytes);
    return true;
  }

  ping() {
    this.say({ type: "ping", at: performance.now() });
    if (!this.isOver && this.clocks.length < PINGS) setTimeout(() => this.ping(), 200);
  }

  take(data) {
    if (data instanceof ArrayBuffer) {
      this.messages += 1;
      this.heard(data, framesOf(data));
      return;
    }
    const message = JSON.parse(data);
    if (message.type === "pong") this.pong(message);
    else this.told(message);
  }

  /* The quickest answer tells best how far the server's clock is from ours. */
  pong({ at, server }) {
    const now = performance.now();
    this.clocks.push({ trip: now - at, offset: server - (at + now) / 2000 });
    if (this.clocks.length > 4 * PINGS) this.clocks.shift();
  }

  /* Seconds since 1970 by the server's clock; null before it was asked. */
  now() {
    if (!this.clocks.length) return null;
    const best = this.clocks.reduce((one, other) => (other.trip < one.trip ? other : one));
    return performance.now() / 1000 + best.offset;
  }
}
