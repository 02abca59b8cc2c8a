/* Faster or slower at the same pitch: waveform-similarity overlap-add (WSOLA).
 *
 * Every 10 ms of output fades from how the last piece goes on to a piece from where the
 * audio should be by now. Of the pieces within ±8 ms of there, the one is taken that is
 * most alike to how it goes on: then periods of a voice meet periods.
 */

const HOP_S = 0.01;
const SEEK_S = 0.008;
/* The search looks at every so manieth sample and place, then closer around the best. */
const COARSE = 4;

export class Stretch {
  /* `render(seconds, length)` gives audio at `rate` from a moment on. */
  constructor(rate, render) {
    this.rate = rate;
    this.render = render;
    this.hop = Math.round(rate * HOP_S);
    this.reach = Math.round(rate * SEEK_S);
    this.fade = Float32Array.from({ length: this.hop }, (_, i) => 0.5 - 0.5 * Math.cos((Math.PI * (i + 0.5)) / this.hop));
    this.begin(0);
  }

  /* Go on from a moment as if all before it had been played at its own speed. */
  begin(seconds) {
    this.position = seconds;
    this.natural = seconds;
  }

  /* The next hop of output at `speed`. Needs `ahead` seconds of audio to be there. */
  next(speed) {
    const { hop, reach, rate } = this;
    const wanted = this.position + (hop * speed) / rate - hop / rate;
    const goesOn = this.render(this.natural, hop);
    const around = this.render(wanted - reach / rate, hop + 2 * reach);
    const best = this.bestOf(goesOn, around);
    const out = new Float32Array(hop);
    for (let i = 0; i < hop; i += 1) {
      out[i] = goesOn[i] * (1 - this.fade[i]) + around[best + i] * this.fade[i];
    }
    this.natural = wanted + (best - reach + hop) / rate;
    this.position += (hop * speed) / rate;
    return out;
  }

  /* How far ahead of `position` audio must be there. */
  get ahead() {
    return 2 * HOP_S + SEEK_S + 0.002;
  }

  bestOf(goesOn, around) {
    const { reach } = this;
    let [best, most] = [reach, -Infinity];
    const look = (from, to, step, stride) => {
      for (let at = Math.max(0, from); at <= Math.min(2 * reach, to); at += step) {
        const alike = likeness(goesOn, around, at, stride);
        if (alike > most) [best, most] = [at, alike];
      }
    };
    look(0, 2 * reach, COARSE, COARSE);
    [most] = [-Infinity];
    look(best - COARSE, best + COARSE, 1, 2);
    return best;
  }
}

/* Normalised correlation: loudness must not decide. */
function likeness(one, other, at, stride) {
  let [both, energy] = [0, 1e-9];
  for (let i = 0; i < one.length; i += stride) {
    const value = other[at + i];
    both += one[i] * value;
    energy += value * value;
  }
  return both / Math.sqrt(energy);
}
