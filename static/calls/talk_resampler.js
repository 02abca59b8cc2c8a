/* From the sound card's rate to the call's: a windowed sinc in phases.
 *
 * For each sample that comes out, the filter's phase for that moment is laid over what
 * came in. Moments are counted in whole numbers, so nothing drifts, however long one
 * speaks. What the call's rate cannot carry is 80 dB down where it would come back as
 * something else; up to 7/16 of the rate everything passes.
 */

const ATTENUATION_DB = 80;
/* The band in which the filter falls, as a share of the lower of the two rates. */
const TRANSITION = 1 / 16;

const divisor = (a, b) => (b ? divisor(b, a % b) : a);

/* The modified Bessel function of the first kind and order 0, by its series. */
function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function kaiser(share) {
  const beta = 0.1102 * (ATTENUATION_DB - 8.7);
  return bessel(beta * Math.sqrt(Math.max(0, 1 - share * share))) / bessel(beta);
}

const sinc = (x) => (x ? Math.sin(Math.PI * x) / (Math.PI * x) : 1);

/* One row of `taps` for each of `up` phases; the newest sample's first. */
function filter(from, narrow, up, taps) {
  const cut = (narrow * (0.5 - TRANSITION / 2)) / from;
  const middle = (taps * up - 1) / 2;
  const rows = [];
  for (let phase = 0; phase < up; phase += 1) {
    const row = new Float32Array(taps);
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) {
      const off = tap * up + phase - middle;
      row[tap] = sinc((2 * cut * off) / up) * kaiser(off / middle);
      sum += row[tap];
    }
    // A level that does not change goes through as it is, in every phase.
    rows.push(row.map((one) => one / sum));
  }
  return rows;
}

export class Resampler {
  constructor(from, to) {
    const common = divisor(from, to);
    [this.up, this.down] = [to / common, from / common];
    const narrow = Math.min(from, to);
    this.taps = Math.ceil(((ATTENUATION_DB - 7.95) / 14.36) * (from / (TRANSITION * narrow)));
    this.rows = filter(from, narrow, this.up, this.taps);
    // What came last, and room for what comes.
    this.input = new Float32Array(this.taps - 1 + 128);
    this.phase = 0;
    // Where in `input` the newest sample of the next one lies.
    this.next = this.taps - 1;
  }

  /* Call `give(sample)` for each sample that `block` brings about. */
  push(block, give) {
    const kept = this.taps - 1;
    const end = kept + block.length;
    if (this.input.length < end) {
      const larger = new Float32Array(end);
      larger.set(this.input.subarray(0, kept));
      this.input = larger;
    }
    this.input.set(block, kept);
    while (this.next < end) {
      give(this.#sample());
      this.phase += this.down;
      this.next += Math.floor(this.phase / this.up);
      this.phase %= this.up;
    }
    this.next -= block.length;
    this.input.copyWithin(0, block.length, end);
  }

  #sample() {
    const row = this.rows[this.phase];
    const { input, next, taps } = this;
    let sum = 0;
    for (let tap = 0; tap < taps; tap += 1) sum += row[tap] * input[next - tap];
    return sum;
  }
}

/* Samples into frames of 20 ms, 16 bits each. */
export class Framer {
  /* `give(samples, peak)` gets an Int16Array of its own, and the loudest sample, 0 to 1. */
  constructor(rate, give) {
    this.size = rate / 50;
    this.give = give;
    this.begin();
  }

  begin() {
    this.samples = new Int16Array(this.size);
    this.at = 0;
    this.peak = 0;
  }

  add(sample) {
    const held = Math.max(-1, Math.min(1, sample));
    this.peak = Math.max(this.peak, Math.abs(held));
    this.samples[this.at] = Math.round(held * 32767);
    this.at += 1;
    if (this.at === this.size) this.end();
  }

  /* Give what there is; the rest of the frame is silence. */
  end() {
    const { samples, peak, at } = this;
    this.begin();
    if (at) this.give(samples, peak);
  }
}
