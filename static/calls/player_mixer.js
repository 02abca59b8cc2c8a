/* Who is heard, and how loud: mute, solo and volume of each speaker, and of all.
 *
 * The mix holds everybody already. Its one element is played while all speakers are
 * heard alike; as soon as they are not, each is played from their own track.
 */

const unset = { isMuted: false, isSolo: false, volume: 1 };

export class Mixer {
  /* `changed()` when other lanes are audible or something is louder. */
  constructor(lanes, changed) {
    this.mix = lanes.find((lane) => lane.track.mix) ?? null;
    this.speakers = lanes.filter((lane) => !lane.track.mix);
    this.changed = changed;
    this.volume = 1;
    this.isMuted = false;
    // Each from their own track even when the mix would do.
    this.isApart = false;
    for (const lane of lanes) Object.assign(lane, unset);
  }

  /* Whether a speaker is heard, from whichever element. */
  hears(lane) {
    if (lane.track.mix) return this.isMixed;
    return this.speakers.some((one) => one.isSolo) ? lane.isSolo : !lane.isMuted;
  }

  get isMixed() {
    if (!this.mix || this.mix.isBroken) return false;
    const [first] = this.speakers;
    return !first || (!this.isApart && this.speakers.every(
      (lane) => this.hears(lane) && lane.volume === first.volume,
    ));
  }

  apply() {
    const { isMixed } = this;
    for (const lane of [this.mix, ...this.speakers]) {
      if (!lane) continue;
      lane.audible = lane === this.mix ? isMixed : !isMixed && this.hears(lane);
      // What a mix of all at one volume is to be played at.
      const own = lane === this.mix ? this.speakers[0]?.volume ?? 1 : lane.volume;
      lane.audio.volume = own * this.volume;
      lane.audio.muted = this.isMuted || !lane.audible;
    }
    this.changed();
  }

  mute(lane) {
    lane.isMuted = !lane.isMuted;
    this.apply();
  }

  muteAll() {
    this.isMuted = !this.isMuted;
    this.apply();
  }

  /* Only this one, or everybody again. */
  solo(lane) {
    const isSolo = !lane.isSolo;
    for (const one of this.speakers) one.isSolo = one === lane && isSolo;
    if (isSolo) lane.isMuted = false;
    this.apply();
  }

  setVolume(lane, volume) {
    lane.volume = volume;
    this.apply();
  }

  setMaster(volume) {
    this.volume = volume;
    this.isMuted = false;
    this.apply();
  }

  /* Everybody, all alike. */
  everybody() {
    for (const lane of this.speakers) Object.assign(lane, unset);
    this.isMuted = false;
    this.isApart = false;
    this.apply();
  }

  apart() {
    const isApart = !this.isApart;
    this.everybody();
    this.isApart = isApart;
    this.apply();
  }
}
