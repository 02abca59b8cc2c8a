/* Who is heard, mixed: each participant's audio by its place on the call's clock.
 *
 * Pure: no audio API. The mix can be rendered from any moment that is there, at the rate
 * of the sound card, which makes resampling, seeking and stretching one thing.
 */

const TAPS = 16;
const PHASES = 512;
/* A gain moves over so many samples: a step would click. */
const RAMP = 256;

/* Windowed sinc, one row of TAPS for each place between two samples. */
function sincTable() {
  const table = new Float32Array((PHASES + 1) * TAPS);
  for (let phase = 0; phase <= PHASES; phase += 1) {
    let sum = 0;
    for (let tap = 0; tap < TAPS; tap += 1) {
      const x = tap - (TAPS / 2 - 1) - phase / PHASES;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      const place = (x + TAPS / 2) / TAPS;
      const hann = place <= 0 || place >= 1 ? 0 : 0.5 - 0.5 * Math.cos(2 * Math.PI * place);
      table[phase * TAPS + tap] = sinc * hann;
      sum += sinc * hann;
    }
    for (let tap = 0; tap < TAPS; tap += 1) table[phase * TAPS + tap] /= sum;
  }
  return table;
}

const SINC = sincTable();

/* The last `seconds` of one participant; what nobody wrote is silence. */
export class Track {
  constructor(rate, seconds) {
    this.rate = rate;
    // A power of two, so that the place in the ring is a bit mask away.
    this.size = 2 ** Math.ceil(Math.log2(rate * seconds));
    this.ring = new Float32Array(this.size);
    this.begin = 0;
    this.end = null;
    this.gain = 1;
    this.target = 1;
    this.peak = 0;
  }

  write(start, samples, pcm) {
    if (this.end === null) this.begin = this.end = start;
    // Before what is kept, or a hole longer than the ring: forget what was.
    if (start + samples <= this.end - this.size) return;
    if (start - this.end > this.size) {
      this.ring.fill(0);
      this.begin = this.end = start;
    }
    for (let at = this.end; at < start; at += 1) this.ring[this.index(at)] = 0;
    for (let i = 0; i < samples; i += 1) this.ring[this.index(start + i)] = pcm ? pcm[i] / 32768 : 0;
    this.begin = Math.min(this.begin, start);
    this.end = Math.max(this.end, start + samples);
    this.begin = Math.max(this.begin, this.end - this.size);
  }

  index(at) {
    return at & (this.size - 1);
  }

  sample(at) {
    return at >= this.begin && at < this.end ? this.ring[this.index(at)] : 0;
  }

  /* Add what is heard from `seconds` on to `out`, whose rate is `rate`. */
  addTo(out, seconds, rate) {
    const step = this.rate / rate;
    const first = seconds * this.rate;
    const last = first + out.length * step;
    if (this.end === null || last < this.begin - TAPS || first > this.end + TAPS) {
      this.gain = this.target;
      return;
    }
    for (let i = 0; i < out.length; i += 1) {
      const at = first + i * step;
      const whole = Math.floor(at);
      const value = this.between(whole, Math.round((at - whole) * PHASES) * TAPS);
      const size = Math.abs(value);
      if (size > this.peak) this.peak = size;
      if (this.gain !== this.target) this.turn();
      out[i] += value * this.gain;
    }
  }

  between(whole, row) {
    const { ring } = this;
    const mask = this.size - 1;
    const from = whole - (TAPS / 2 - 1);
    let value = 0;
    if (from >= this.begin && from + TAPS <= this.end) {
      for (let tap = 0; tap < TAPS; tap += 1) value += SINC[row + tap] * ring[(from + tap) & mask];
    } else {
      for (let tap = 0; tap < TAPS; tap += 1) value += SINC[row + tap] * this.sample(from + tap);
    }
    return value;
  }

  turn() {
    const left = this.target - this.gain;
    this.gain = Math.abs(left) <= 1 / RAMP ? this.target : this.gain + Math.sign(left) / RAMP;
  }
}

export class Mix {
  constructor(rate, seconds) {
    this.rate = rate;
    this.seconds = seconds;
    this.tracks = new Map();
    this.gains = new Map();
  }

  write(frame) {
    let track = this.tracks.get(frame.track);
    if (!track) {
      track = new Track(frame.rate, this.seconds);
      track.gain = track.target = this.gains.get(frame.track) ?? 1;
      this.tracks.set(frame.track, track);
    }
    track.write(frame.start, frame.samples, frame.pcm);
  }

  clear() {
    this.tracks.clear();
  }

  setGain(number, gain) {
    this.gains.set(number, gain);
    const track = this.tracks.get(number);
    if (track) track.target = gain;
  }

  /* Seconds on the call's clock at which the audio ends that came; null before any. */
  get end() {
    let end = null;
    for (const track of this.tracks.values()) {
      if (track.end !== null) end = Math.max(end ?? -Infinity, track.end / track.rate);
    }
    return end;
  }

  get begin() {
    let begin = null;
    for (const track of this.tracks.values()) {
      if (track.end !== null) begin = Math.min(begin ?? Infinity, track.begin / track.rate);
    }
    return begin;
  }

  render(seconds, length) {
    const out = new Float32Array(length);
    for (const track of this.tracks.values()) track.addTo(out, seconds, this.rate);
    return out;
  }

  /* The loudest sample of each participant since the last time, before any gain. */
  takePeaks() {
    const peaks = {};
    for (const [number, track] of this.tracks) {
      peaks[number] = track.peak;
      track.peak = 0;
    }
    return peaks;
  }
}
