/* The pieces of a transcript as rows: who said what when, each word with its moment.
 *
 * A long call has thousands: rows that are not in sight are not laid out (CSS), and only
 * those that were in sight have an element for each word.
 */

import { element } from "./dom.js";
import { clock, fill, percent, _ } from "./text.js";

// Of what was heard less surely people are told.
const UNSURE = 0.6;
// How long after its end a piece still counts as being said.
const LINGER = 0.25;
// Speakers who talk at once: so many pieces back one may still be being said.
const OVERLAP = 6;

const moods = () => ({ positive: _("sounds pleased"), negative: _("sounds displeased") });

export class Rows {
  /* `seen(row)`: a row has got its words. */
  constructor(box, seen) {
    Object.assign(this, { box, seen });
    this.list = box.querySelector("ol");
    this.rows = [];
    this.byId = new Map();
    this.now = [];
    this.watcher = new IntersectionObserver((entries) => this.#sight(entries), { root: box, rootMargin: "200px" });
  }

  get length() {
    return this.rows.length;
  }

  /* Show exactly these, in order of time. */
  fill(segments) {
    this.watcher.disconnect();
    this.byId.clear();
    this.now = [];
    this.rows = segments.map((segment, index) => this.#made(segment, segments[index - 1]));
    this.list.replaceChildren(...this.rows.map(({ node }) => node));
    this.#reachable(this.rows[0]);
  }

  /* Add a piece where its time is, or tell one anew. */
  put(segment) {
    const old = this.byId.get(segment.id);
    if (old) this.drop(old);
    let at = this.rows.length;
    while (at && this.rows[at - 1].at > segment.at) at -= 1;
    const row = this.#made(segment, this.rows[at - 1]);
    if (at) this.rows[at - 1].node.after(row.node);
    else this.list.prepend(row.node);
    this.rows.splice(at, 0, row);
    if (!this.reachable) this.#reachable(row);
    return row;
  }

  drop(row) {
    this.rows.splice(this.rows.indexOf(row), 1);
    this.byId.delete(row.id);
    this.watcher.unobserve(row.node);
    row.node.remove();
    if (this.reachable === row) this.#reachable(this.rows.at(-1));
  }

  of(node) {
    return this.byId.get(node?.closest("li")?.dataset.id);
  }

  /* Focus a row; it is the one that Tab leads to from then on. */
  focus(row) {
    if (!row) return;
    this.#reachable(row);
    row.when.focus({ preventScroll: true });
  }

  step(from, by) {
    return this.rows[this.rows.indexOf(from) + by];
  }

  /* The moment of what was clicked: a word, else the row's beginning. */
  momentOf(target) {
    const row = this.of(target);
    if (!row) return null;
    const index = target.closest("[data-word]")?.dataset.word;
    return index === undefined ? row.at : row.at + row.words[Number(index)][1] / 1000;
  }

  /* Mark what is being said at a moment; returns the newest such row, if it changed. */
  mark(at) {
    const last = this.#before(at);
    const said = this.rows.slice(Math.max(last - OVERLAP, 0), last + 1).filter((row) => at < row.end + LINGER);
    const newest = said.at(-1);
    const isNew = newest !== this.now.at(-1);
    for (const row of this.now) if (!said.includes(row)) this.#unmark(row);
    for (const row of said) this.#markWord(row, at);
    this.now = said;
    return isNew ? newest : undefined;
  }

  /* Give a row an element for each word, if it has none. */
  spell(row) {
    if (row.spans) return;
    row.spans = row.words.map(([text], index) => {
      const span = element("span", "", text);
      span.dataset.word = index;
      return span;
    });
    row.said.replaceChildren(...row.spans);
    this.seen(row);
  }

  #reachable(row) {
    if (this.reachable) this.reachable.when.tabIndex = -1;
    this.reachable = row;
    if (row) row.when.tabIndex = 0;
  }

  /* The index of the last row that begins at `at` or before. */
  #before(at) {
    let [low, high] = [0, this.rows.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.rows[middle].at <= at) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  #markWord(row, at) {
    row.node.setAttribute("aria-current", "true");
    this.spell(row);
    // The player tells hundredths.
    const ms = (at - row.at) * 1000 + 5;
    const index = row.words.findLastIndex(([, start]) => start <= ms);
    if (index === row.word) return;
    row.spans[row.word]?.classList.remove("now");
    row.spans[index]?.classList.add("now");
    row.word = index;
  }

  #unmark(row) {
    row.node.removeAttribute("aria-current");
    row.spans?.[row.word]?.classList.remove("now");
    row.word = -1;
  }

  #sight(entries) {
    for (const { isIntersecting, target } of entries) {
      const row = this.of(target);
      if (!isIntersecting || !row) continue;
      this.watcher.unobserve(target);
      this.spell(row);
    }
  }

  #made(segment, before) {
    const row = rowOf(segment, before?.language !== segment.language);
    this.byId.set(row.id, row);
    this.watcher.observe(row.node);
    return row;
  }
}

/* One row, its text in one piece yet. */
export function rowOf(segment, isOtherLanguage = false) {
  const node = element("li");
  node.dataset.id = segment.id;
  const when = element("button", "when", clock(segment.at));
  when.type = "button";
  when.tabIndex = -1;
  when.title = _("Play from here");
  const said = element("span", "said", segment.words.map(([text]) => text).join(""));
  if (segment.language) said.lang = segment.language;
  const rest = element("span", "rest");
  rest.append(...asides(segment, isOtherLanguage));
  const who = element("b", "who", segment.who);
  who.title = segment.raw_id;
  node.append(when, who, said, rest);
  const text = said.textContent.toLowerCase();
  const { id, at, seconds, words, language } = segment;
  return { id, at, end: at + seconds, words, language, node, when, said, text, spans: null, word: -1 };
}

/* What else is known of a piece, discreetly. */
function asides({ cut, confidence, sentiment, language }, isOtherLanguage) {
  const found = [];
  const aside = (kind, text, title) => {
    const made = element("small", "", text);
    made.dataset.kind = kind;
    if (title) made.title = title;
    found.push(made);
  };
  if (cut) aside("cut", _("interrupted"), _("The rest of it was heard by nobody."));
  if (confidence !== null && confidence < UNSURE) aside("unsure", _("unsure"), fill(_("Heard with a confidence of %(share)s"), { share: percent(confidence) }));
  const mood = moods()[sentiment?.toLowerCase()];
  if (mood) aside(sentiment.toLowerCase(), mood);
  if (language && isOtherLanguage) aside("language", language);
  return found;
}
