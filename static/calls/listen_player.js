/* What is played next: the playhead, and how far behind the live edge it stays.
 *
 * Pure: no audio API, no clock. `process` is called for every block of output.
 *
 * Following, it plays live: behind the newest audio by a cushion, first 180 ms, that
 * shrinks to 120 while it is big enough and grows when it was not. Not following, it plays the past at the speed
 * that was chosen; where that meets the live edge it follows, at speed 1.
 */

import { Mix } from "./listen_mix.js";
import { Stretch } from "./listen_stretch.js";

const KEPT_SECONDS = 30;
const CUSHION = 0.12;
const CUSHION_FIRST = 0.18;
const CUSHION_MAX = 0.5;
const CUSHION_STEP = 0.04;
/* After so long without an underrun the cushion is made a little smaller. */
const CALM_SECONDS = 5;
const CALM_STEP = 0.01;
/* So much more than the cushion is caught up by playing a little faster … */
const SLACK = 0.08;
const CATCH_UP = 1.08;
/* … and so much more by leaving it out. */
const TOO_FAR = 2;
/* Of the past so much must be there before it starts. */
const PREBUFFER = 0.25;
/* Audio that begins so far behind the playhead was not late: there was none. */
const HOLE = 0.06;
/* Where nobody was heard for longer than this (a pause, a broken line), it goes on. */
const LONG_HOLE = 2;

export class Player {
  constructor(rate) {
    this.rate = rate;
    this.mix = new Mix(rate, KEPT_SECONDS);
    this.stretch = new Stretch(rate, (seconds, length) => this.mix.render(seconds, length));
    this.master = 1;
    this.speed = 1;
    this.underruns = 0;
    this.holes = 0;
    this.skipped = 0;
    this.fifo = new Float32Array(0);
    this.go(0, null);
  }

  /* Play from `at` seconds, or from the live edge (null); frames of older generations
   * are dropped from now on. */
  go(generation, at) {
    this.generation = generation;
    this.mix.clear();
    this.at = at;
    this.playhead = at;
    this.following = at === null;
    this.joined = at === null;
    this.waiting = true;
    this.starved = false;
    this.cushion = CUSHION_FIRST;
    this.calm = 0;
    this.gaps = [];
    this.fifo = new Float32Array(0);
    this.stretching = false;
    this.fadeIn = true;
  }

  /* The server says that from here on all comes from the live edge. */
  join(generation) {
    if (generation === this.generation) this.joined = true;
  }

  push(frame) {
    if (frame.generation !== this.generation) return;
    const before = this.mix.end;
    const from = before ?? this.playhead;
    const start = frame.start / frame.rate;
    if (from !== null && start - from > LONG_HOLE) this.gaps.push({ from, to: start });
    this.mix.write(frame);
    if (this.starved) this.resolve(frame, before);
  }

  /* After a starvation the first audio tells what it was: audio that came late, or
   * a hole in the call. */
  resolve(frame, before) {
    const start = frame.start / frame.rate;
    if (before !== null && start + frame.samples / frame.rate <= before) return;
    this.starved = false;
    if (start > this.playhead + HOLE) {
      this.holes += 1;
      if (this.following) this.playhead = start;
      return;
    }
    this.underruns += 1;
    this.calm = 0;
    this.cushion = Math.min(this.cushion + CUSHION_STEP, CUSHION_MAX);
  }

  get end() {
    return this.mix.end;
  }

  get ahead() {
    const end = this.mix.end;
    return end === null || this.playhead === null ? 0 : end - this.playhead;
  }

  process(out) {
    const block = out.length / this.rate;
    if (this.waiting && !this.mayStart()) return;
    this.waiting = false;
    this.settle(block);
    const speed = this.pace();
    const needed = speed === 1 ? block + 0.001 : this.stretch.ahead + block * speed;
    if (this.fifo.length < out.length && this.ahead < needed) {
      this.starve(out);
      return;
    }
    if (speed === 1) this.plain(out, block);
    else this.stretched(out, speed);
    this.finish(out);
  }

  mayStart() {
    const end = this.mix.end;
    if (end === null) return false;
    if (this.playhead === null) {
      if (end - this.mix.begin < this.cushion) return false;
      this.playhead = end - this.cushion;
      return true;
    }
    // At the live edge of a call in which nobody is heard at the moment.
    if (this.joined && this.ahead <= 0.02) this.follow();
    return this.ahead >= (this.following || this.joined ? this.cushion : PREBUFFER);
  }

  /* Once in a while: follow, catch up, make the cushion smaller. */
  settle(block) {
    this.calm += block;
    if (this.calm > CALM_SECONDS && this.cushion > CUSHION) {
      this.cushion = Math.max(CUSHION, this.cushion - CALM_STEP);
      this.calm = 0;
    }
    const [gap] = this.gaps;
    if (gap && this.playhead >= gap.from) {
      this.gaps.shift();
      if (this.playhead < gap.to) {
        this.holes += 1;
        this.jump(gap.to);
      }
    }
    if (!this.following && this.joined && this.ahead <= this.cushion + 0.02) this.follow();
    if (this.following && this.ahead > TOO_FAR) {
      this.skipped += this.ahead - this.cushion;
      this.jump(this.mix.end - this.cushion);
    }
  }

  follow() {
    this.following = true;
    this.speed = 1;
  }

  pace() {
    if (!this.following) return this.speed;
    const over = this.ahead - this.cushion;
    // With some inertia: once it catches up it does so until the cushion is right.
    return over > SLACK || (this.stretching && over > 0.01) ? CATCH_UP : 1;
  }

  jump(seconds) {
    this.playhead = seconds;
    this.stretching = false;
    this.fifo = new Float32Array(0);
    this.fadeIn = true;
  }

  plain(out, block) {
    if (this.fifo.length) {
      this.drain(out);
      return;
    }
    if (this.stretching) {
      // Go on exactly where the last piece would have gone on: no click.
      this.playhead = this.stretch.natural;
      this.stretching = false;
    }
    out.set(this.mix.render(this.playhead, out.length));
    this.playhead += block;
  }

  stretched(out, speed) {
    if (!this.stretching) {
      this.stretch.begin(this.playhead);
      this.stretching = true;
    }
    while (this.fifo.length < out.length) {
      this.append(this.stretch.next(speed));
      this.playhead = this.stretch.position;
    }
    this.drain(out);
  }

  append(piece) {
    const longer = new Float32Array(this.fifo.length + piece.length);
    longer.set(this.fifo);
    longer.set(piece, this.fifo.length);
    this.fifo = longer;
  }

  drain(out) {
    const given = this.fifo.subarray(0, out.length);
    out.set(given);
    this.fifo = this.fifo.slice(given.length);
    if (given.length < out.length && this.stretching) {
      this.playhead = this.stretch.natural;
      this.stretching = false;
    }
    if (given.length < out.length) {
      const rest = out.length - given.length;
      out.set(this.mix.render(this.playhead, rest), given.length);
      this.playhead += rest / this.rate;
    }
  }

  /* There is no more: fade the last of it out, and wait. */
  starve(out) {
    this.stretching = false;
    this.fifo = new Float32Array(0);
    const last = this.mix.render(this.playhead, out.length);
    for (let i = 0; i < out.length; i += 1) out[i] = last[i] * (1 - i / out.length) * this.master;
    this.playhead += Math.max(0, Math.min(this.ahead, out.length / this.rate));
    this.waiting = true;
    this.starved = true;
    this.fadeIn = true;
  }

  finish(out) {
    for (let i = 0; i < out.length; i += 1) {
      const fade = this.fadeIn ? i / out.length : 1;
      out[i] = Math.max(-1, Math.min(1, out[i] * this.master * fade));
    }
    this.fadeIn = false;
  }

  report() {
    return {
      playhead: this.playhead,
      end: this.mix.end,
      ahead: this.ahead,
      waiting: this.waiting,
      following: this.following,
      joined: this.joined,
      speed: this.speed,
      cushion: this.cushion,
      underruns: this.underruns,
      holes: this.holes,
      skipped: this.skipped,
      generation: this.generation,
      peaks: this.mix.takePeaks(),
    };
  }
}
