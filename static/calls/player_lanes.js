/* What a lane shows: its waveform, where audio is missing, who is heard. */

import { element } from "./dom.js";
import { columns, loudest } from "./player_peaks.js";
import { clock, fill, _ } from "./text.js";

const HEIGHT = 48;
const WIDEST = 4000;

/* The parts of a lane's row of the page, which plays by itself until now. */
export function laneOf(root, track) {
  const row = root.querySelector(`[data-id="${CSS.escape(track.id)}"]`);
  const wave = row.querySelector(".wave");
  const audio = row.querySelector("audio");
  audio.controls = false;
  audio.hidden = true;
  const strip = element("div", "strip");
  wave.append(strip);
  const holes = track.holes.map((hole) => {
    const mark = element("i", "hole");
    mark.dataset.kind = hole.kind;
    mark.title = holeWords(track, hole);
    wave.append(mark);
    return mark;
  });
  asSlider(wave, track);
  return { track, row, wave, audio, strip, holes, audible: false, isBroken: false };
}

function holeWords(track, hole) {
  const what = hole.kind === "g" ? _("Missing: %(seconds)s s at %(at)s") : _("Paused or stopped: %(seconds)s s at %(at)s");
  return fill(what, { seconds: hole.seconds.toFixed(2), at: clock(track.offset + hole.start) });
}

function asSlider(wave, track) {
  wave.tabIndex = 0;
  wave.setAttribute("role", "slider");
  wave.setAttribute("aria-label", fill(_("Position, %(who)s"), { who: track.label }));
  wave.setAttribute("aria-valuemin", "0");
}

/* Tell sliders where playing is; once a second is enough for anybody's ears. */
export function tellSliders(lanes, position, total) {
  const text = fill(_("%(at)s of %(total)s"), { at: clock(position), total: clock(total) });
  for (const { wave } of lanes) {
    if (wave.getAttribute("aria-valuetext") === text) continue;
    wave.setAttribute("aria-valuemax", total.toFixed(1));
    wave.setAttribute("aria-valuenow", position.toFixed(1));
    wave.setAttribute("aria-valuetext", text);
  }
}

/* Show who is heard on the buttons of the lanes. */
export function tellLanes(mixer, lanes) {
  for (const lane of lanes) {
    const isHeard = mixer.hears(lane) && !mixer.isMuted;
    lane.row.classList.toggle("heard", isHeard);
    lane.row.dataset.audible = String(lane.audible);
    const press = (name, isPressed) => {
      const button = lane.row.querySelector(`[data-lane=${name}]`);
      if (!button) return;
      button.setAttribute("aria-pressed", String(isPressed));
    };
    press("mute", lane.isMuted);
    press("solo", lane.isSolo);
    press("mix", isHeard);
    const icon = lane.row.querySelector("[data-lane=mute] span, [data-lane=mix] span");
    if (icon) icon.textContent = isHeard ? "volume_up" : "volume_off";
    const volume = lane.row.querySelector("[data-lane=volume]");
    if (volume && document.activeElement !== volume) volume.value = lane.volume;
  }
}

/* Draws the stretch on screen of all waveforms, with the waveform library. */
export class Waves {
  constructor(root, lanes, view) {
    Object.assign(this, { root, lanes, view });
    this.peaks = [];
  }

  async load(url, peaks) {
    const { default: WaveSurfer } = await import(url);
    this.peaks = peaks;
    // One scale for all lanes: who is quiet looks quiet.
    const maxPeak = loudest(peaks);
    this.lanes.forEach((lane, at) => {
      if (!peaks[at]) return;
      lane.waveform = WaveSurfer.create({
        container: lane.strip,
        height: HEIGHT,
        normalize: true,
        maxPeak,
        cursorWidth: 0,
        interact: false,
        hideScrollbar: true,
        cspNonce: document.querySelector("meta[name=style-nonce]")?.content,
        ...this._colours(lane),
      });
    });
    this.draw();
  }

  draw() {
    const { view } = this;
    this.lanes.forEach((lane, at) => {
      const { offset, seconds } = lane.track;
      const [from, to] = [Math.max(offset, view.from), Math.min(offset + seconds, view.to)];
      lane.strip.hidden = to <= from;
      if (to <= from) return;
      view.place(lane.strip, from, to - from);
      lane.holes.forEach((mark, hole) => {
        const { start, seconds: length } = lane.track.holes[hole];
        view.place(mark, offset + start, length);
      });
      if (lane.waveform) this._draw(lane, this.peaks[at], from, to);
    });
  }

  _draw({ waveform, strip, track }, peaks, from, to) {
    const count = Math.min(Math.max(strip.clientWidth, 1), WIDEST);
    const [start, end] = [from - track.offset, to - track.offset];
    const shown = columns(peaks, peaks.pixel, start, end, count);
    // A newer stretch may come while this one is still being drawn.
    waveform.load("", shown, to - from).catch(() => {});
  }

  /* Canvas knows no CSS variables: what is heard is drawn in the accent colour. */
  colour() {
    for (const lane of this.lanes) {
      const colours = this._colours(lane);
      if (lane.waveform && lane.colour !== colours.waveColor) lane.waveform.setOptions(colours);
      lane.colour = colours.waveColor;
    }
  }

  _colours(lane) {
    const name = lane.row.classList.contains("heard") ? "--c-accent" : "--wave";
    const waveColor = getComputedStyle(this.root).getPropertyValue(name).trim();
    return { waveColor, progressColor: waveColor };
  }
}
