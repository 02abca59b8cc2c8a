/* The participants of a call one listens to: who is heard, how loud, how loud they are. */

import { element, sign } from "./dom.js";
import { _, fill } from "./text.js";

/* What a meter shows: -60 dBFS is empty, 0 dBFS is full. */
const FLOOR_DB = -60;
const FALL = 0.08;
/* What we say into the call ourselves is a participant, too. */
const US = "us";

export class People {
  /* `changed(track, gain)` is called whenever somebody's loudness is to change. */
  constructor(list, changed) {
    this.list = list;
    this.changed = changed;
    this.rows = new Map();
    this.settings = new Map();
    this.isHushed = false;
  }

  /* Who speaks into the call does not hear themselves a moment later: nobody can speak so. */
  hush(isOn) {
    this.isHushed = isOn;
    this.apply();
  }

  add({ index, name, raw_id: rawId, rate }) {
    const settings = this.settings.get(rawId) ?? { muted: false, solo: false, volume: 1 };
    this.settings.set(rawId, settings);
    const row = element("li");
    row.dataset.rawId = rawId;
    const label = element("span", "who", name);
    label.title = fill(_("%(who)s, %(rate)s kHz"), { who: rawId, rate: rate / 1000 });
    const meter = element("span", "meter");
    meter.setAttribute("aria-hidden", "true");
    meter.append(element("i"));
    const mute = this.button("volume_up", fill(_("Mute %(who)s"), { who: name }), "mute");
    const solo = this.button("headphones", fill(_("Hear only %(who)s"), { who: name }), "solo");
    const volume = element("input");
    Object.assign(volume, { type: "range", min: 0, max: 2, step: 0.05, value: settings.volume });
    volume.setAttribute("aria-label", fill(_("Volume of %(who)s"), { who: name }));
    mute.onclick = () => this.set(settings, { muted: !settings.muted });
    solo.onclick = () => this.set(settings, { solo: !settings.solo });
    volume.oninput = () => this.set(settings, { volume: Number(volume.value) });
    row.append(label, meter, mute, solo, volume);
    this.list.append(row);
    this.rows.set(index, { row, mute, solo, bar: meter.firstChild, settings, shown: 0 });
    this.apply();
  }

  button(icon, label, does) {
    const made = element("button", does);
    made.type = "button";
    made.title = label;
    made.setAttribute("aria-label", label);
    made.setAttribute("aria-pressed", "false");
    made.append(sign(icon));
    return made;
  }

  /* Track numbers are new after dialling again; whom one muted stays muted. */
  clear() {
    this.list.replaceChildren();
    this.rows.clear();
  }

  set(settings, change) {
    Object.assign(settings, change);
    this.apply();
  }

  apply() {
    const rows = [...this.rows];
    const isSolo = rows.some(([, { settings }]) => settings.solo);
    for (const [index, { row, mute, solo, settings }] of rows) {
      const heard = isSolo ? settings.solo : !settings.muted;
      mute.setAttribute("aria-pressed", String(settings.muted));
      mute.firstChild.textContent = settings.muted ? "volume_off" : "volume_up";
      solo.setAttribute("aria-pressed", String(settings.solo));
      row.dataset.heard = String(heard);
      const isOurs = this.isHushed && row.dataset.rawId === US;
      this.changed(index, heard && !isOurs ? settings.volume : 0);
    }
  }

  show(peaks) {
    for (const [index, line] of this.rows) {
      const level = 20 * Math.log10(Math.max(peaks[index] ?? 0, 1e-6));
      const share = Math.min(1, Math.max(0, 1 - level / FLOOR_DB));
      line.shown = Math.max(share, line.shown - FALL);
      line.bar.style.transform = `scaleX(${line.shown.toFixed(3)})`;
    }
  }
}
