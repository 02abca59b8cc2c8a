/* The bar of a live call's time: from its beginning to the live edge, which moves on.
 *
 * Click, drag or use the keys; what is chosen is told once one has let go.
 */

import { _, clock, fill } from "./text.js";

const STEP = 5;
const PAGE = 60;
/* Who drags as far as this means the live edge. */
const LIVE_SECONDS = 1;
const SETTLE_MS = 350;

export class Bar {
  /* `chosen(seconds)`: null is the live edge. */
  constructor(node, chosen) {
    this.node = node;
    this.chosen = chosen;
    this.edge = 0;
    this.playhead = null;
    this.wanted = null;
    this.head = node.querySelector(".head");
    this.fill = node.querySelector(".fill");
    this.bubble = node.querySelector(".bubble");
    node.addEventListener("pointerdown", (event) => this.grab(event));
    node.addEventListener("pointermove", (event) => this.hover(event));
    node.addEventListener("pointerleave", () => this.point(null));
    node.addEventListener("keydown", (event) => this.key(event));
  }

  secondsAt(event) {
    const box = this.node.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    return share * this.edge;
  }

  grab(event) {
    if (event.button !== 0) return;
    this.node.setPointerCapture(event.pointerId);
    this.isHeld = true;
    this.want(this.secondsAt(event));
    this.node.addEventListener(
      "pointerup",
      () => {
        this.isHeld = false;
        this.settle();
      },
      { once: true },
    );
  }

  hover(event) {
    const seconds = this.secondsAt(event);
    this.point(seconds);
    if (this.isHeld) this.want(seconds);
  }

  point(seconds) {
    this.bubble.hidden = seconds === null;
    if (seconds === null) return;
    this.bubble.textContent = clock(seconds);
    this.bubble.style.left = `${this.share(seconds)}%`;
  }

  key(event) {
    const from = this.wanted ?? this.playhead ?? this.edge;
    const moves = {
      ArrowLeft: from - STEP,
      ArrowDown: from - STEP,
      ArrowRight: from + STEP,
      ArrowUp: from + STEP,
      PageDown: from - PAGE,
      PageUp: from + PAGE,
      Home: 0,
      End: this.edge,
    };
    if (!(event.key in moves) || event.metaKey || event.ctrlKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    this.want(moves[event.key]);
    // Held keys come in a row; only where they end is gone to.
    clearTimeout(this.settling);
    this.settling = setTimeout(() => this.settle(), SETTLE_MS);
  }

  want(seconds) {
    this.wanted = Math.min(this.edge, Math.max(0, seconds));
    this.draw();
  }

  settle() {
    if (this.wanted === null) return;
    const seconds = this.wanted;
    this.wanted = null;
    this.chosen(seconds > this.edge - LIVE_SECONDS ? null : seconds);
  }

  share(seconds) {
    return this.edge > 0 ? Math.min(100, Math.max(0, (100 * seconds) / this.edge)) : 100;
  }

  show(playhead, edge) {
    this.playhead = playhead;
    this.edge = Math.max(edge, 0);
    this.draw();
  }

  draw() {
    const at = this.wanted ?? this.playhead ?? this.edge;
    const share = this.share(at);
    this.head.style.left = `${share}%`;
    this.fill.style.transform = `scaleX(${share / 100})`;
    this.node.setAttribute("aria-valuemax", String(Math.round(this.edge)));
    this.node.setAttribute("aria-valuenow", String(Math.round(at)));
    const behind = this.edge - at;
    const words = behind < LIVE_SECONDS ? _("live") : fill(_("%(at)s, %(behind)s behind live"), { at: clock(at), behind: clock(behind) });
    this.node.setAttribute("aria-valuetext", words);
  }
}
