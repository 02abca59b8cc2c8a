/* Which part of a call is in sight.
 *
 * The right edge moves in steps, not with every second: between two steps only what is
 * new has to be drawn, and nothing slides under the reader's eyes.
 */

const LEAST_SECONDS = 20;
const STEP_SHARE = 0.1;
const NICE = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];

export class View {
  constructor() {
    this.zoom = 0; // seconds in sight; 0 is the whole call
    this.follows = true;
    this.start = 0;
    this.seconds = LEAST_SECONDS;
    this.clock = 0;
  }

  /* Let the call's clock be that; true if another part is in sight now. */
  tick(clock) {
    this.clock = clock;
    return this.#settle();
  }

  setZoom(seconds) {
    this.zoom = seconds;
    this.follows = true;
    this.#settle(true);
  }

  follow() {
    this.follows = true;
    this.#settle(true);
  }

  /* Show the call from a share of what can be scrolled, 0 to 1; 1 follows again. */
  scroll(share) {
    this.follows = share >= 1;
    if (this.follows) this.#settle(true);
    else this.start = share * this.room;
  }

  /* Bring a moment into sight. */
  reveal(at) {
    if (this.zoom && (at < this.start || at > this.start + this.seconds)) {
      this.follows = false;
      this.start = Math.min(Math.max(at - this.seconds / 2, 0), this.room);
    }
  }

  get room() {
    return Math.max(this.clock - this.seconds * (1 - STEP_SHARE), 0);
  }

  get share() {
    return this.room && !this.follows ? this.start / this.room : 1;
  }

  #settle(anew = false) {
    const { start, seconds } = this;
    if (this.zoom) {
      this.seconds = this.zoom;
      const isOut = this.clock > this.start + this.seconds || this.clock < this.start;
      if (this.follows && (anew || isOut)) this.start = this.room;
    } else {
      this.start = 0;
      if (anew) this.seconds = LEAST_SECONDS;
      while (this.clock > this.seconds) this.seconds = Math.ceil(this.seconds * (1 + 2 * STEP_SHARE));
    }
    return anew || start !== this.start || seconds !== this.seconds;
  }

  x(at, width) {
    return ((at - this.start) / this.seconds) * width;
  }

  at(x, width) {
    return this.start + (x / width) * this.seconds;
  }

  /* Moments for the ruler, at least `apart` pixels from each other. */
  ticks(width, apart = 72) {
    const step = NICE.find((one) => (one / this.seconds) * width >= apart) ?? NICE.at(-1);
    const found = [];
    const last = this.start + this.seconds;
    for (let at = Math.ceil(this.start / step) * step; at <= last; at += step) found.push(at);
    return found;
  }
}
