/* The clock of a call and the audio elements that follow it.
 *
 * Tracks begin where their first packet did, so each has an offset on the call's clock.
 * One audible lane leads the clock and the others are kept to it; where none has audio
 * (before the first word, after the last) the clock runs by itself.
 *
 * A lane: {track: {offset, seconds}, audio, audible, isBroken}. Seconds everywhere.
 */

// Two tracks further apart than this sound like an echo.
export const DRIFT = 0.06;
// Closer than this is together: nobody hears it, and clocks are not read more finely.
const CLOSE = 0.015;
// Further apart than this, a track jumps. Nearer, it hurries or dawdles by at most a
// tenth, pitch kept: a jump takes as long as decoding does, and is late again after it.
const FAR = 0.5;
const HURRY = 0.1;
export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3];
// A page in the background draws no frames; its audio plays on and must be led.
const TICK_MS = 200;
const NEARLY = 0.05;

export class Engine {
  /* `told.changed()` when something else than the position changed, `told.moved()` when
   * the position did, `told.failed(error)` when nothing can be played. */
  constructor(lanes, total, told) {
    Object.assign(this, { lanes, total, told });
    this.playing = false;
    this.position = 0;
    this.speed = 1;
    this.loop = { a: null, b: null };
    this.quiet = [];
    this.isSkipping = false;
    this.ranFrom = 0; // performance.now() of the last tick
    this.timer = 0;
    for (const { audio } of lanes) {
      audio.preservesPitch = true;
      audio.autoplay = false;
    }
  }

  // --- orders ---------------------------------------------------------------------

  play() {
    if (this.playing) return;
    if (this.position >= this.total - NEARLY) this.position = this.loop.a ?? 0;
    this.playing = true;
    this.ranFrom = performance.now();
    this._bring();
    this.follow();
    this.timer = setInterval(() => this._tick(), TICK_MS);
    requestAnimationFrame(() => this._frame());
    this.told.changed();
  }

  pause(at = this.position) {
    this.playing = false;
    clearInterval(this.timer);
    this.position = Math.min(at, this.total);
    for (const { audio } of this.lanes) {
      audio.pause();
      audio.playbackRate = this.speed;
    }
    this.told.changed();
    this.told.moved();
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  seek(to) {
    this.position = Math.min(Math.max(to, 0), this.total);
    this._bring();
    this.ranFrom = performance.now();
    if (this.playing) this.follow();
    this.told.moved();
  }

  setSpeed(value) {
    this.speed = value;
    for (const { audio } of this.lanes) {
      audio.defaultPlaybackRate = value;
      audio.playbackRate = value;
    }
    this.told.changed();
  }

  faster(steps) {
    const at = SPEEDS.indexOf(this.speed) + steps;
    this.setSpeed(SPEEDS[Math.min(Math.max(at, 0), SPEEDS.length - 1)]);
  }

  /* The ends of the loop; B before A begins anew, with the end that was set last. */
  setLoop(end, at = this.position) {
    const loop = { ...this.loop, [end]: at };
    if (loop.a !== null && loop.b !== null && loop.b - loop.a < NEARLY) {
      loop[end === "a" ? "b" : "a"] = null;
    }
    this.loop = loop;
    this.told.changed();
  }

  setStretch(a, b) {
    this.loop = { a, b };
    this.told.changed();
  }

  clearLoop() {
    this.setStretch(null, null);
  }

  get isLooping() {
    return this.loop.a !== null && this.loop.b !== null;
  }

  setSkipping(isSkipping) {
    this.isSkipping = isSkipping;
    this.told.changed();
  }

  /* Who is audible has changed. */
  follow() {
    for (const lane of this.lanes) {
      const { audio } = lane;
      if (!lane.audible || !this._hasAudio(lane)) {
        if (!audio.paused) audio.pause();
      } else if (this.playing && audio.paused && !lane.isStarting) {
        this._start(lane);
      }
    }
  }

  // --- the clock ------------------------------------------------------------------

  _covers({ track }, at = this.position) {
    return at >= track.offset && at < track.offset + track.seconds;
  }

  /* An element may end a breath before the length we know; playing it then starts over. */
  _hasAudio(lane) {
    const end = lane.track.offset + lane.track.seconds;
    const isOver = lane.audio.ended && this.position > end - 0.5;
    return this._covers(lane) && !isOver && !lane.isBroken;
  }

  _start(lane) {
    const wanted = this.position - lane.track.offset;
    if (Math.abs(lane.audio.currentTime - wanted) > DRIFT) lane.audio.currentTime = wanted;
    lane.audio.playbackRate = this.speed;
    lane.isStarting = true;
    lane.audio
      .play()
      // A pause that overtakes a play is no failure.
      .catch((error) => error.name === "AbortError" || this.told.failed(error, lane))
      .finally(() => { lane.isStarting = false; });
  }

  _bring() {
    for (const lane of this.lanes) {
      if (!lane.audible) continue;
      if (this._covers(lane)) lane.audio.currentTime = this.position - lane.track.offset;
      else lane.audio.pause();
    }
  }

  _frame() {
    if (!this.playing) return;
    this._tick();
    requestAnimationFrame(() => this._frame());
  }

  _tick() {
    if (!this.playing) return;
    const now = performance.now();
    const before = this.position;
    this._advance((now - this.ranFrom) / 1000);
    this.ranFrom = now;
    const to = this._jump(before);
    if (to !== null) this.seek(to);
    if (this.position >= this.total) return this.pause(this.total);
    this.follow();
    this.told.moved();
  }

  _advance(elapsed) {
    const current = this.lanes.filter((lane) => lane.audible && this._hasAudio(lane));
    const leader = current.find(({ audio }) => !audio.paused && !audio.seeking);
    if (leader) {
      this.position = leader.track.offset + leader.audio.currentTime;
      if (leader.audio.playbackRate !== this.speed) leader.audio.playbackRate = this.speed;
      for (const lane of current) if (lane !== leader) this._keep(lane);
    } else if (!current.length) {
      this.position += elapsed * this.speed;
    }
  }

  _keep({ track, audio }) {
    const there = this.position - track.offset;
    const ahead = (audio.currentTime - there) / this.speed;
    if (audio.seeking || audio.paused) return;
    if (Math.abs(ahead) > FAR) {
      audio.currentTime = there;
      return;
    }
    const hurry = Math.abs(ahead) < CLOSE ? 0 : Math.min(Math.max(-2 * ahead, -HURRY), HURRY);
    const rate = this.speed * (1 + Math.round(hurry * 50) / 50);
    if (audio.playbackRate !== rate) audio.playbackRate = rate;
  }

  /* Where to go instead of going on, or null: round the loop, over a silence. */
  _jump(before) {
    const { a, b } = this.loop;
    const at = this.position;
    const isEnd = this.isLooping && before < b && at >= Math.min(b, this.total - NEARLY);
    if (isEnd) return a;
    const silence = this.isSkipping && this.quiet.find(([from, to]) => at >= from && at < to - NEARLY);
    if (!silence) return null;
    const [from, to] = silence;
    if (!this.isLooping || at >= b || to < b) return to;
    // Nobody speaks in all of the loop: then it is heard as it is.
    return a >= from ? null : a;
  }
}
