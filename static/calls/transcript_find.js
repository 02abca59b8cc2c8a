/* Finding words in the transcript that is shown: / or Ctrl+F, then Enter or N. */

import { isTaken } from "./dom.js";
import { fill, number, _ } from "./text.js";

const canPaint = "highlights" in CSS;

export class Find {
  /* `go(row)`: show a row that has a hit. */
  constructor(root, rows, go) {
    Object.assign(this, { root, rows, go });
    this.form = root.querySelector(".find");
    this.input = this.form.querySelector("input");
    this.output = this.form.querySelector("output");
    this.hits = [];
    this.here = -1;
    if (canPaint) {
      this.all = new Highlight();
      this.one = new Highlight();
      this.one.priority = 1;
      CSS.highlights.set("transcript-hit", this.all);
      CSS.highlights.set("transcript-here", this.one);
    }
    this.#listen();
  }

  #listen() {
    this.form.hidden = false;
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.input.addEventListener("input", () => this.look());
    this.input.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.step(event.shiftKey ? -1 : 1, false);
      if (event.key === "Escape" && this.input.value) {
        event.preventDefault();
        this.ask("");
      }
    });
    for (const button of this.form.querySelectorAll("button")) {
      button.addEventListener("click", () => this.step(Number(button.dataset.find), false));
    }
    // Before the player, for which N is the next marker.
    document.addEventListener("keydown", (event) => this.#press(event), true);
  }

  #press(event) {
    const isHere = this.root.contains(event.target);
    const isFind = (event.ctrlKey || event.metaKey) && event.key === "f";
    if (isFind && isHere) {
      event.preventDefault();
      this.input.select();
    }
    if (isTaken(event)) return;
    if (event.key === "/") {
      event.preventDefault();
      this.input.focus();
      this.input.select();
    }
    if (isHere && this.hits.length && event.key.toLowerCase() === "n") {
      event.preventDefault();
      event.stopPropagation();
      this.step(event.key === "N" ? -1 : 1, true);
    }
  }

  /* Look for a text, and be at the first hit at or after a moment. */
  ask(text, at = 0) {
    this.input.value = text;
    this.look(at);
  }

  /* Find what the field says anew, as when rows have come. */
  look(at = null) {
    const text = this.input.value.trim().toLowerCase();
    for (const { row } of this.hits) row.node.classList.remove("hit");
    this.hits = text ? this.rows.rows.flatMap((row) => [...hitsOf(row, text)]) : [];
    for (const { row } of this.hits) row.node.classList.add("hit");
    this.here = -1;
    this.#repaint();
    if (at !== null && this.hits.length) {
      // A moment comes from a link, to the hundredth.
      const first = this.hits.findIndex(({ row }) => row.end >= at - 0.02);
      this.here = Math.max(first, 0) - 1;
      this.step(1, false);
    } else this.#tell();
  }

  step(by, isFocused) {
    if (!this.hits.length) return;
    this.here = (this.here + by + this.hits.length) % this.hits.length;
    const { row } = this.hits[this.here];
    this.rows.spell(row);
    this.go(row);
    if (isFocused) this.rows.focus(row);
    this.#repaint();
    this.#tell();
  }

  /* A row has got its words: mark what is found in them. */
  paint(row) {
    if (!canPaint || !row.spans) return;
    this.hits.forEach((hit, index) => {
      if (hit.row !== row) return;
      const range = rangeOf(hit);
      this.all.add(range);
      if (index === this.here) this.one.add(range);
    });
  }

  #repaint() {
    if (!canPaint) return;
    this.all.clear();
    this.one.clear();
    for (const row of new Set(this.hits.map((hit) => hit.row))) this.paint(row);
  }

  #tell() {
    const { length } = this.hits;
    let words = "";
    if (this.input.value.trim()) words = _("not found");
    if (length) words = fill(_("%(here)s of %(all)s"), { here: this.here < 0 ? "–" : number(this.here + 1), all: number(length) });
    this.output.textContent = words;
  }
}

function* hitsOf(row, text) {
  for (let at = row.text.indexOf(text); at >= 0; at = row.text.indexOf(text, at + text.length)) {
    yield { row, first: at, last: at + text.length };
  }
}

/* From where to where a hit is in the row's elements. */
function rangeOf({ row, first, last }) {
  const range = new Range();
  let seen = 0;
  for (const { firstChild: text } of row.spans) {
    if (!text) continue;
    const end = seen + text.length;
    if (first >= seen && first < end) range.setStart(text, first - seen);
    if (last > seen && last <= end) {
      range.setEnd(text, last - seen);
      break;
    }
    seen = end;
  }
  return range;
}
