/* The lanes of a live call: a waveform for each participant, on the call's clock.
 *
 * `take` is called with each message of the call's socket. A click, or Enter, takes a
 * moment: others hear of it by the event `call:moment` on the document, whose detail is
 * {at}, in seconds on the call's clock.
 */

import { element, isTaken, mark, say } from "./dom.js";
import { _, clock, fill, percent, several } from "./text.js";
import { colours, drawLane, drawRuler, fit } from "./lanes_draw.js";
import { Marks } from "./lanes_marks.js";
import { Lane } from "./lanes_store.js";
import { View } from "./lanes_view.js";
import { brief, level } from "./callpage_words.js";

const MARKS_MS = 5000;
const SUMMARY_MS = 5000;
const WHAT = { talk: _("audio"), silent: _("silent"), g: _("missing"), x: _("not streamed"), unknown: _("not known here yet"), none: _("nothing") };

export class Lanes {
  constructor(root) {
    this.root = root;
    this.box = root.querySelector(".box");
    this.rows = root.querySelector(".rows");
    this.strip = root.querySelector(".ruler .strip");
    this.ruler = root.querySelector(".ruler canvas");
    this.tip = root.querySelector(".tip");
    this.line = root.querySelector(".cursor");
    this.where = root.querySelector(".where");
    this.scroller = root.querySelector(".scroll");
    this.follower = root.querySelector(".follow");
    this.view = new View();
    this.lanes = new Map();
    this.cursor = null;
    this.isPaused = false;
    this.paint = colours(root);
    this.marks = new Marks(root.querySelector(".marks"), root.dataset.markers, (at) => this.choose(at));
    this.#listen();
    this.#keepMarks();
  }

  /* Take a message of the socket. */
  take(message) {
    if (!message.people.length) return;
    const isPaused = Boolean(message.call.paused);
    const moved = this.view.tick(message.clock ?? 0);
    const all = moved || isPaused !== this.isPaused || this.#fitRuler();
    this.isPaused = isPaused;
    for (const person of message.people) {
      const lane = this.lanes.get(person.key) ?? this.#add(person);
      const changed = lane.data.take(person);
      this.#tell(lane, message.call.live);
      // While paused the grey grows, though nothing comes.
      const from = isPaused ? Math.min(changed ?? lane.data.end, lane.data.end) : changed;
      this.#draw(lane, all || lane.isNew ? 0 : from);
      lane.isNew = false;
    }
    if (all) this.#frame();
    this.#summarise();
  }

  // --- what is seen ---------------------------------------------------------------

  #add(person) {
    this.root.querySelector(".empty").hidden = true;
    for (const part of [this.box, this.root.querySelector(".live-legend"), this.root.querySelector(".tools")]) part.hidden = false;
    const row = element("div", "row");
    const name = element("div", "who");
    const meter = element("i", "console-meter level");
    const canvas = element("canvas");
    const said = { name: element("b"), now: element("span", "console-dim") };
    canvas.setAttribute("role", "img");
    name.append(said.name, meter, said.now);
    row.append(name, canvas);
    this.rows.append(row);
    const lane = { data: new Lane(person), row, canvas, meter, said, isNew: true };
    this.lanes.set(person.key, lane);
    return lane;
  }

  #tell(lane, isLive) {
    const { person } = lane.data;
    const talking = isLive && person.talking;
    say(lane.said.name, person.name);
    lane.said.name.title = person.raw_id;
    const state = person.held ? _("on hold") : person.muted ? _("muted") : person.left ? _("left") : "";
    say(lane.said.now, state || fill(_("silent %(share)s"), { share: percent(person.silence_ratio) }));
    mark(lane.row, "talking", talking);
    const share = !isLive || person.now_dbfs === null ? 0 : Math.min(Math.max((person.now_dbfs + 60) / 60, 0), 1);
    lane.meter.style.setProperty("--share", share.toFixed(3));
    lane.meter.title = fill(_("level now: %(level)s"), { level: level(person.now_dbfs) });
  }

  #draw(lane, from) {
    const emptied = fit(lane.canvas);
    if (from === null && !emptied) return;
    const { view, paint, isPaused } = this;
    drawLane(lane.canvas, lane.data, view, emptied ? 0 : from, paint, { isPaused });
    // For tests and for whoever wonders: how much of the call is drawn.
    mark(lane.canvas, "drawn", lane.data.end.toFixed(1));
  }

  redraw() {
    this.#fitRuler();
    for (const lane of this.lanes.values()) this.#draw(lane, 0);
    this.#frame();
  }

  #fitRuler() {
    return fit(this.ruler);
  }

  /* What stands around the lanes: ruler, marks, scroll bar, cursor. */
  #frame() {
    const { view } = this;
    drawRuler(this.ruler, view, this.paint, clock);
    this.marks.draw(view, this.strip.clientWidth);
    this.scroller.hidden = !view.zoom || view.room <= 0;
    this.scroller.value = String(Math.round(view.share * 1000));
    this.scroller.setAttribute("aria-valuetext", clock(view.start));
    this.follower.hidden = !view.zoom;
    this.follower.setAttribute("aria-pressed", String(view.follows));
    this.#placeCursor();
  }

  #summarise() {
    if (performance.now() - (this.summarised ?? -SUMMARY_MS) < SUMMARY_MS) return;
    this.summarised = performance.now();
    for (const { canvas, data } of this.lanes.values()) {
      const { person } = data;
      const gaps = person.gap_count
        ? fill(several(_("%(n)s gap"), _("%(n)s gaps"), person.gap_count) + _(" of %(length)s together"), { length: brief(person.gap_ms / 1000) })
        : _("no gaps");
      const words = fill(_("%(name)s: %(length)s of audio, silent %(silent)s, %(gaps)s, %(now)s"), {
        name: person.name, length: clock(person.seconds), silent: percent(person.silence_ratio), gaps,
        now: person.talking ? _("talking now") : _("not talking now"),
      });
      canvas.setAttribute("aria-label", words);
    }
  }

  // --- the cursor -----------------------------------------------------------------

  /* What everybody did at a moment, in words. */
  describe(at) {
    const said = [...this.lanes.values()].map(({ data }) => `${data.person.name}: ${WHAT[data.at(at)]}`);
    const close = (this.view.seconds / Math.max(this.strip.clientWidth, 1)) * 8;
    return [...said, ...this.marks.near(at, close).slice(0, 4).map((one) => one.label)];
  }

  choose(at) {
    this.cursor = Math.min(Math.max(at, 0), this.view.clock);
    this.view.reveal(this.cursor);
    this.redraw();
    say(this.where, `${clock(this.cursor)} · ${this.describe(this.cursor).join(" · ")}`);
    document.dispatchEvent(new CustomEvent("call:moment", { detail: { at: this.cursor } }));
  }

  #placeCursor() {
    const width = this.strip.clientWidth;
    const x = this.cursor === null ? -1 : this.view.x(this.cursor, width);
    this.line.hidden = x < 0 || x > width;
    this.line.style.left = `${this.strip.offsetLeft + x}px`;
  }

  #hover(event) {
    const box = this.strip.getBoundingClientRect();
    const x = event.clientX - box.left;
    const at = this.view.at(x, box.width);
    this.tip.hidden = x < 0 || at > this.view.clock || at < 0;
    if (this.tip.hidden) return;
    const lines = [clock(at), ...this.describe(at)];
    this.tip.replaceChildren(...lines.map((line, number) => element(number ? "span" : "b", "", line)));
    const left = this.strip.offsetLeft + x;
    const isRight = x > box.width - this.tip.offsetWidth - 24;
    this.tip.style.left = `${isRight ? left - this.tip.offsetWidth - 12 : left + 12}px`;
  }

  // --- hands and keys -------------------------------------------------------------

  #listen() {
    this.box.addEventListener("pointermove", (event) => this.#hover(event));
    this.box.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    this.box.addEventListener("click", (event) => {
      const box = this.strip.getBoundingClientRect();
      if (event.target.closest("button") || event.clientX < box.left) return;
      this.choose(this.view.at(event.clientX - box.left, box.width));
    });
    this.box.addEventListener("keydown", (event) => this.#key(event));
    this.root.querySelector(".zooms").addEventListener("click", (event) => {
      const button = event.target.closest("[data-zoom]");
      if (button) this.#zoom(Number(button.dataset.zoom));
    });
    this.follower.addEventListener("click", () => { this.view.follow(); this.redraw(); });
    this.scroller.addEventListener("input", () => { this.view.scroll(Number(this.scroller.value) / 1000); this.redraw(); });
    new ResizeObserver(() => this.redraw()).observe(this.strip);
    // Light to dark and back while the page is open.
    new MutationObserver(() => { this.paint = colours(this.root); this.redraw(); })
      .observe(document.documentElement, { attributeFilter: ["class"] });
  }

  #zoom(seconds) {
    for (const button of this.root.querySelectorAll("[data-zoom]")) {
      button.setAttribute("aria-pressed", String(Number(button.dataset.zoom) === seconds));
    }
    this.view.setZoom(seconds);
    this.view.tick(this.view.clock);
    this.redraw();
  }

  #key(event) {
    if (event.target !== this.box || isTaken(event)) return;
    const from = this.cursor ?? this.view.clock;
    const step = event.shiftKey ? 10 : 1;
    const to = { ArrowLeft: from - step, ArrowRight: from + step, Home: 0, End: this.view.clock, Enter: from }[event.key];
    if (to === undefined) return;
    // Arrows belong to whoever has the focus, not to a player on the same page.
    event.preventDefault();
    event.stopPropagation();
    this.choose(to);
  }

  async #keepMarks() {
    while (this.root.isConnected) {
      if (!document.hidden && (await this.marks.load())) this.marks.draw(this.view, this.strip.clientWidth);
      await new Promise((resolve) => setTimeout(resolve, MARKS_MS));
    }
  }
}
