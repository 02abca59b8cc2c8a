/* The socket of a call's page: reconnects by itself, and says how old things are. */

import { FORBIDDEN, OVER, UNKNOWN_CALL } from "./close_codes.js";
import { mark, say } from "./dom.js";
import { _, age, fill } from "./text.js";

const STALE_SECONDS = 4;
const SILENCE_MS = 10_000;
const BACKOFF = [1, 2, 4, 8, 15];

export class Feed {
  constructor(path, take) {
    this.url = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;
    this.take = take;
    this.state = document.getElementById("call-feed");
    this.banner = document.getElementById("call-fault");
    this.attempt = 0;
    this.heardAt = performance.now();
    this.message = null;
    this.isOver = false;
    this.timer = setInterval(() => this.#judge(), 1000);
    this.#open();
  }

  #open() {
    const socket = new WebSocket(this.url);
    // A half-open connection never closes by itself: silence is what tells.
    let silence = setTimeout(() => socket.close(), SILENCE_MS);
    socket.addEventListener("message", (event) => {
      clearTimeout(silence);
      silence = setTimeout(() => socket.close(), SILENCE_MS);
      this.message = JSON.parse(event.data);
      this.heardAt = performance.now();
      this.attempt = 0;
      this.take(this.message);
      this.#judge();
    });
    socket.addEventListener("close", ({ code }) => {
      clearTimeout(silence);
      if (code === FORBIDDEN) location.reload();
      if ([OVER, FORBIDDEN, UNKNOWN_CALL].includes(code)) this.end();
      else setTimeout(() => this.#open(), BACKOFF[Math.min(this.attempt++, BACKOFF.length - 1)] * 1000);
    });
  }

  end() {
    this.isOver = true;
    clearInterval(this.timer);
    this.#judge();
  }

  /* Say how live this is. */
  #judge() {
    if (!this.state) return;
    const silent = (performance.now() - this.heardAt) / 1000;
    const { message } = this;
    if (this.isOver) return this.#say("", _("over"), "");
    if (silent > STALE_SECONDS) {
      const words = fill(_("The console has not been heard for %(age)s. What you see is that old; recording is not affected."), { age: age(silent) });
      return this.#say("down", _("not live"), words);
    }
    if (!message) return undefined;
    const old = message.measured_at === null ? null : message.at - message.measured_at + silent;
    let words = message.reason;
    if (words && old !== null) words += fill(_(" The audio shown is %(age)s old; recording is not affected."), { age: age(old) });
    if (words) return this.#say("down", _("not live"), words);
    if (!message.call.live) return this.#say("", _("the call is over"), "");
    return this.#say("live", _("live"), "");
  }

  #say(state, words, fault) {
    mark(this.state, "state", state);
    say(this.state, words);
    this.banner.hidden = !fault;
    say(this.banner, fault);
  }
}
