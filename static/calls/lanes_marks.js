/* Moments worth seeing, on the ruler: alarms, notes, orders, who came and went.
 *
 * Those that stand too close for the hand are one button that tells all of them.
 */

import { element, mark, say } from "./dom.js";
import { _, clock, fill, several } from "./text.js";

const CLOSE = 14; // pixels
const SIGNS = {
  alarm: "warning", note: "sticky_note_2", pause: "pause", resume: "play_arrow",
  stop_streaming: "stop", start_streaming: "play_arrow", joined: "person_add", left: "person_remove", tone: "dialpad",
  spoken: "campaign",
};
// What a group of several looks like: the most pressing of them.
const RANK = ["alarm", "note", "pause", "resume", "stop_streaming", "start_streaming", "spoken", "tone", "joined", "left"];
const rank = (kind) => (RANK.includes(kind) ? RANK.indexOf(kind) : RANK.length);

export class Marks {
  constructor(box, url, choose) {
    this.box = box;
    this.url = url;
    this.choose = choose;
    this.markers = [];
    this.etag = "";
  }

  /* Ask for them; true if they are others than before. */
  async load() {
    try {
      const answer = await fetch(this.url, { cache: "no-cache", headers: { Accept: "application/json" } });
      if (!answer.ok) return false;
      const text = await answer.text();
      if (text === this.etag) return false;
      this.etag = text;
      this.markers = JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  }

  near(at, within) {
    return this.markers.filter((one) => Math.abs(one.at - at) <= within);
  }

  draw(view, width) {
    const groups = [];
    for (const one of this.markers) {
      const x = view.x(one.at, width);
      if (x < 0 || x > width) continue;
      const last = groups.at(-1);
      if (last && x - last.x < CLOSE) last.those.push(one);
      else groups.push({ x, those: [one] });
    }
    while (this.box.children.length > groups.length) this.box.lastElementChild.remove();
    groups.forEach((group, at) => this.#fill(this.box.children[at] ?? this.#make(), group));
  }

  #make() {
    const button = element("button");
    button.type = "button";
    button.append(element("span", "material-symbols-outlined"), element("b"));
    button.firstElementChild.setAttribute("aria-hidden", "true");
    button.addEventListener("click", () => this.choose(Number(button.dataset.at)));
    this.box.append(button);
    return button;
  }

  #fill(button, { x, those }) {
    const [first] = [...those].sort((one, other) => rank(one.kind) - rank(other.kind));
    const told = those.slice(0, 8).map((one) => fill(_("%(at)s %(what)s"), { at: clock(one.at), what: one.label }));
    if (those.length > told.length) told.push(several(_("and %(n)s more"), _("and %(n)s more"), those.length - told.length));
    const words = told.join("\n");
    button.style.left = `${x}px`;
    mark(button, "at", first.at);
    mark(button, "kind", first.kind);
    say(button.firstElementChild, SIGNS[first.kind] ?? "flag");
    say(button.lastElementChild, those.length > 1 ? String(those.length) : "");
    if (button.title !== words) {
      button.title = words;
      button.setAttribute("aria-label", told.join("; "));
    }
  }
}
