/* Captions of a call that runs: what was said, and what somebody is saying just now.
 *
 * What is not final yet is guessed: shown weaker, at the end, one for each speaker, and
 * not read out. The final words take its place.
 */

import { rowOf } from "./transcript_rows.js";

// The rest is in the transcript when the call is over.
const MOST = 300;
// What nobody goes on with is no longer being said.
const STALE_MS = 10_000;

export class Captions {
  constructor(rows) {
    this.rows = rows;
    this.guesses = new Map();
    rows.list.setAttribute("role", "log");
    // Not what there was before: it would all be read out.
    rows.list.setAttribute("aria-live", "off");
    rows.list.setAttribute("aria-relevant", "additions");
  }

  /* From now on what comes is read out. */
  begin() {
    this.rows.list.setAttribute("aria-live", "polite");
  }

  /* Take what is new; says whether anything was. */
  take(lines) {
    for (const [raw, { told }] of this.guesses) if (performance.now() - told > STALE_MS) this.#forget(raw);
    for (const line of lines) {
      this.#forget(line.raw_id);
      if (line.final) this.#say(line);
      else this.#guess(line);
    }
    while (this.rows.length > MOST) this.rows.drop(this.rows.rows[0]);
    return lines.length > 0;
  }

  /* The call is over: nothing is being said. */
  end() {
    for (const raw of [...this.guesses.keys()]) this.#forget(raw);
    for (const name of ["role", "aria-live", "aria-relevant"]) this.rows.list.removeAttribute(name);
  }

  /* Told again, as after a lost connection, it is the same row. */
  #say(line) {
    const text = line.words.map(([word]) => word).join("").toLowerCase();
    if (this.rows.byId.get(line.id)?.text !== text) this.rows.put(line);
  }

  #guess(line) {
    const { node } = rowOf(line);
    node.classList.add("guess");
    node.setAttribute("aria-hidden", "true");
    delete node.dataset.id;
    this.rows.list.append(node);
    this.guesses.set(line.raw_id, { node, told: performance.now() });
  }

  #forget(raw) {
    this.guesses.get(raw)?.node.remove();
    this.guesses.delete(raw);
  }
}
