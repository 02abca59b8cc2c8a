/* How loud a microphone is: -60 dBFS is empty, 0 dBFS is full; it falls slowly. */

const FLOOR_DB = -60;
const FALL = 0.04;

export class Meter {
  constructor(bar) {
    this.bar = bar;
    this.shown = 0;
  }

  show(peak) {
    const level = 20 * Math.log10(Math.max(peak, 1e-6));
    const share = Math.min(1, Math.max(0, 1 - level / FLOOR_DB));
    this.shown = Math.max(share, this.shown - FALL);
    this.bar.style.transform = `scaleX(${this.shown.toFixed(3)})`;
  }

  clear() {
    this.shown = 0;
    this.bar.style.transform = "scaleX(0)";
  }
}
