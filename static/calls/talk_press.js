/* One press: what is said waits until the server has noted it, then goes out in order.
 *
 * All that waited would be heard so much later for as long as one speaks. So pauses are
 * left out until that is made up for: before the first word, and between words.
 */

const HEADER = 8;
const VERSION = 1;
/* What the server takes at once; by then it answers or it never will. */
const MOST_WAITING = 100;
/* Half a second of 24 kHz not yet sent: the network is too slow to speak over. */
const MOST_BUFFERED = 24_000;
/* Loudest sample of a pause, 0 to 1, and how many frames of 20 ms make one. */
const QUIET = 0.01;
const PAUSE = 5;
/* A sound card that has stopped tells no end. */
const END_MS = 300;

export class Press {
  /* `slow()` is called when what is said does not get away. */
  constructor(link, { number, rate, interrupts }, slow) {
    Object.assign(this, { link, number, slow });
    this.waiting = [];
    this.frames = 0;
    this.quiet = 0;
    /* By how many frames what is heard is behind. */
    this.behind = 0;
    this.hasBegun = false;
    this.isOpen = false;
    this.isSaid = false;
    link.say({ type: "press", press: number, rate, interrupts });
  }

  /* The server takes it from now on. */
  open() {
    this.isOpen = true;
    this.behind = this.waiting.length;
    for (const message of this.waiting.splice(0)) this.#send(message);
    if (this.isSaid) this.#release();
  }

  frame(samples, peak) {
    if (this.isSaid) return;
    this.quiet = peak < QUIET ? this.quiet + 1 : 0;
    this.hasBegun ||= !this.quiet;
    if (this.behind && this.quiet > PAUSE) {
      this.behind -= 1;
      return;
    }
    // Before the first word, the oldest that waits is no loss.
    if (!this.hasBegun && this.waiting.length === PAUSE) this.waiting.shift();
    const message = this.#message(samples);
    if (this.isOpen) this.#send(message);
    else if (this.waiting.length < MOST_WAITING) this.waiting.push(message);
    else this.slow();
  }

  #message(samples) {
    const message = new Uint8Array(HEADER + samples.byteLength);
    const view = new DataView(message.buffer);
    view.setUint8(0, VERSION);
    view.setUint16(2, this.number, true);
    view.setUint32(4, this.frames, true);
    // Typed arrays are little-endian on every machine that has a browser.
    message.set(new Uint8Array(samples.buffer), HEADER);
    this.frames += 1;
    return message;
  }

  /* The button was let go: the last frame is on its way from the sound card. */
  ending() {
    this.timer ??= setTimeout(() => this.said(), END_MS);
  }

  /* That was all. */
  said() {
    if (this.isSaid) return;
    this.isSaid = true;
    clearTimeout(this.timer);
    if (this.isOpen) this.#release();
  }

  #send(message) {
    if (!this.link.give(message, MOST_BUFFERED)) this.slow();
  }

  #release() {
    this.link.say({ type: "release", press: this.number });
  }
}
