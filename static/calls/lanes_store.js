/* What is known of each participant's audio while a call runs.
 *
 * A waveform is a byte for each tenth of a second, on the track's own clock; `offset` is
 * where the track begins on the call's clock. Only what is new comes over the socket.
 */

export const PER_SECOND = 10;
export const UNKNOWN = 255;
export const LOUDEST = 254;

function bytes(text) {
  const raw = atob(text);
  return Uint8Array.from(raw, (char) => char.charCodeAt(0));
}

export class Lane {
  constructor(person) {
    this.key = person.key;
    this.raw = person.raw_id;
    this.person = person;
    this.wave = new Uint8Array(1024);
    this.length = 0;
    this.holes = [];
  }

  /* Take the news; from which second of the call on its picture changed, or null. */
  take(person) {
    let changed = person.offset === this.person.offset ? null : 0;
    this.person = person;
    const first = (at) => {
      const here = at + person.offset;
      changed = changed === null ? here : Math.min(changed, here);
    };
    if (person.wave !== undefined) {
      this.#put(person.wave_from, bytes(person.wave));
      first(person.wave_from / PER_SECOND);
    }
    if (person.holes) {
      const gone = this.holes.splice(person.holes_from);
      this.holes.push(...person.holes);
      for (const [, start] of [...gone.slice(0, 1), ...person.holes.slice(0, 1)]) first(start);
    }
    return changed;
  }

  #put(from, fresh) {
    const end = from + fresh.length;
    if (end > this.wave.length) {
      const more = new Uint8Array(Math.max(end, 2 * this.wave.length));
      more.set(this.wave);
      this.wave = more;
    }
    // A process that took the call over does not know what this page has seen.
    for (let at = 0; at < fresh.length; at += 1) {
      const seen = from + at < this.length && this.wave[from + at] !== UNKNOWN;
      if (fresh[at] !== UNKNOWN || !seen) this.wave[from + at] = fresh[at];
    }
    this.length = end;
  }

  get offset() {
    return this.person.offset;
  }

  get end() {
    return this.offset + this.length / PER_SECOND;
  }

  /* The loudest of a stretch of the call, -1 where nothing is known, null outside. */
  peak(from, to) {
    const first = Math.max(Math.floor((from - this.offset) * PER_SECOND + 1e-6), 0);
    const last = Math.min(Math.max(Math.ceil((to - this.offset) * PER_SECOND - 1e-6), first + 1), this.length);
    if (to <= this.offset || first >= last) return null;
    let loudest = -1;
    for (let at = first; at < last; at += 1) {
      const byte = this.wave[at];
      if (byte !== UNKNOWN && byte > loudest) loudest = byte;
    }
    return loudest;
  }

  /* The holes that touch a stretch of the call, on the call's clock. */
  *holesIn(from, to) {
    let [low, high] = [0, this.holes.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.offset + this.holes[middle][1] + this.holes[middle][2] <= from) low = middle + 1;
      else high = middle;
    }
    for (; low < this.holes.length; low += 1) {
      const [kind, start, seconds] = this.holes[low];
      if (this.offset + start >= to) return;
      yield { kind, start: this.offset + start, seconds };
    }
  }

  /* What a moment was: talk, silent, g, x, unknown, or none. */
  at(moment) {
    for (const hole of this.holesIn(moment, moment + 1e-6)) return hole.kind;
    const peak = this.peak(moment, moment + 1e-3);
    if (peak === null) return "none";
    if (peak < 0) return "unknown";
    return peak > 0 ? "talk" : "silent";
  }
}
