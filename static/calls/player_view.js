/* The stretch of a call that is on screen: zoom, ruler, places of things in it.
 *
 * Everything that has a moment is placed by `left` and `width` in per cent of the
 * stretch; what lies outside of it is hidden.
 */

import { element } from "./dom.js";
import { clock, fill, _ } from "./text.js";

const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200];
const LABEL = 72; // px that a label of the ruler needs
const SHORTEST = 1; // seconds on screen

export class View {
  /* `redraw()` when another stretch is on screen. */
  constructor(root, total, redraw) {
    Object.assign(this, { root, total, redraw });
    this.from = 0;
    this.span = total;
    this.ruler = root.querySelector(".ruler .ticks");
    this.pan = root.querySelector(".pan");
    this.over = root.querySelector(".over");
    this.head = root.querySelector(".head");
    this.pan.addEventListener("input", () => this.show(Number(this.pan.value), this.span));
    new ResizeObserver(() => this._later()).observe(this.ruler);
  }

  get to() {
    return this.from + this.span;
  }

  get isZoomed() {
    return this.span < this.total - 0.001;
  }

  /* The share of the screen's width at which a moment lies. */
  share(at) {
    return (at - this.from) / this.span;
  }

  /* The moment under a pointer. */
  moment(event, box) {
    const { left, width } = box.getBoundingClientRect();
    const share = Math.min(Math.max((event.clientX - left) / width, 0), 1);
    return this.from + share * this.span;
  }

  place(node, start, seconds) {
    node.style.left = `${this.share(start) * 100}%`;
    if (seconds !== undefined) node.style.width = `${(seconds / this.span) * 100}%`;
  }

  show(from, span) {
    this.span = Math.min(Math.max(span, Math.min(SHORTEST, this.total)), this.total);
    this.from = Math.min(Math.max(from, 0), this.total - this.span);
    this._later();
  }

  /* Zoom by a factor around a moment, which stays where it is on screen. */
  zoom(factor, around) {
    const span = Math.min(Math.max(this.span / factor, Math.min(SHORTEST, this.total)), this.total);
    const at = Math.min(Math.max(around, this.from), this.to);
    this.show(at - this.share(at) * span, span);
  }

  /* Turn the page when playing leaves it; `isFar`: bring what is out of sight. */
  followTo(at) {
    this.place(this.head, at);
    const isOut = at < this.from || at > this.to;
    if (this.isZoomed && isOut) this.show(at - this.span * 0.05, this.span);
  }

  _later() {
    if (this.isAsked) return;
    this.isAsked = true;
    requestAnimationFrame(() => {
      this.isAsked = false;
      this._ticks();
      this._pan();
      this.redraw();
    });
  }

  _pan() {
    const { pan } = this;
    pan.hidden = !this.isZoomed;
    Object.assign(pan, { min: 0, max: this.total - this.span, step: "any", value: this.from });
    pan.setAttribute("aria-valuetext", fill(_("%(from)s to %(to)s"), { from: clock(this.from), to: clock(this.to) }));
  }

  _ticks() {
    const most = Math.max(Math.floor(this.ruler.clientWidth / LABEL), 1);
    const step = STEPS.find((seconds) => this.span / seconds <= most) ?? STEPS.at(-1);
    const ticks = [];
    for (let number = Math.ceil(this.from / step); number * step <= this.to; number += 1) {
      const tick = element("i", "tick", this._label(number * step, step));
      this.place(tick, number * step);
      ticks.push(tick);
    }
    this.ruler.replaceChildren(...ticks);
  }

  _label(at, step) {
    const tenths = step < 1 ? `.${Math.round(at * 10) % 10}` : "";
    return clock(Math.round(at * 10) / 10) + tenths;
  }
}

/* The time of day at a moment, in the viewer's zone and in UTC. */
export function wallClock(originMs, zone) {
  const format = (timeZone) => new Intl.DateTimeFormat("en-GB", {
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone,
  });
  const [there, utc] = [format(zone || "UTC"), format("UTC")];
  return (at) => {
    const moment = new Date(originMs + at * 1000);
    const [local, universal] = [there.format(moment), utc.format(moment)];
    return zone && zone !== "UTC" ? `${local} (${universal} UTC)` : `${universal} UTC`;
  };
}

/* A line under the pointer, with the moment and its time of day beside it. */
export function hovering(view, box, timeOfDay) {
  const line = view.over.querySelector(".under");
  const tip = line.querySelector("span");
  box.addEventListener("pointermove", (event) => {
    const isOver = event.target.closest(".wave, .ticks, .flags");
    line.hidden = !isOver;
    if (!isOver) return;
    const at = view.moment(event, view.over);
    view.place(line, at);
    line.classList.toggle("left", view.share(at) > 0.7);
    tip.textContent = `${clock(at)}.${Math.floor((at % 1) * 10)} · ${timeOfDay(at)}`;
  });
  box.addEventListener("pointerleave", () => { line.hidden = true; });
}

/* Press to go there, drag to go along, Shift and drag to loop a stretch. */
export function pressing(view, box, engine) {
  let looped = null;
  const move = (event) => {
    const at = view.moment(event, view.over);
    if (looped === null) return engine.seek(at);
    return engine.setStretch(Math.min(looped, at), Math.max(looped, at));
  };
  box.addEventListener("pointerdown", (event) => {
    const area = event.target.closest(".wave, .ticks");
    if (!area || event.button !== 0) return;
    looped = event.shiftKey ? view.moment(event, view.over) : null;
    area.setPointerCapture(event.pointerId);
    if (looped === null) move(event);
  });
  box.addEventListener("pointermove", (event) => {
    if (event.target.hasPointerCapture?.(event.pointerId)) move(event);
  });
  box.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    if (event.ctrlKey) view.zoom(event.deltaY < 0 ? 1.25 : 0.8, view.moment(event, view.over));
    else view.show(view.from + ((event.deltaX || event.deltaY) / 500) * view.span, view.span);
  }, { passive: false });
}

