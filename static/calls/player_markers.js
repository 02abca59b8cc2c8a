/* Moments worth hearing: events, alarms, notes and tones, on the lanes and as a list. */

import { element, sign } from "./dom.js";
import { clock, several, _ } from "./text.js";

const SIGNS = {
  alarm: "warning",
  joined: "person_add",
  left: "person_remove",
  note: "sticky_note_2",
  pause: "pause_circle",
  resume: "play_circle",
  spoken: "campaign",
  start_streaming: "mic",
  stop_streaming: "mic_off",
  tone: "dialpad",
};
const NEAR = 0.25; // seconds: playing is at a marker

const names = () => ({ alarm: _("Alarm"), note: _("Note") });

/* [{at, kind, label, raw_id}] in order of time; none where nobody serves them. */
export async function markersOf(url) {
  const answer = await fetch(url, { headers: { Accept: "application/json" } });
  if (!answer.ok) return [];
  const told = await answer.json();
  const markers = Array.isArray(told) ? told : told.markers ?? [];
  return markers.filter(({ at }) => Number.isFinite(at)).sort((one, other) => one.at - other.at);
}

export class Markers {
  constructor(root, lanes, view, engine) {
    Object.assign(this, { root, lanes, view, engine });
    this.markers = [];
    this.placed = [];
    this.box = root.querySelector(".marks");
  }

  show(markers) {
    this.markers = markers;
    this.box.hidden = !markers.length;
    this.root.classList.toggle("marked", markers.length > 0);
    this.box.querySelector("summary").textContent = several("%(n)s marker", "%(n)s markers", markers.length);
    this.box.querySelector("ol").replaceChildren(...markers.map((marker) => this._item(marker)));
    this.placed = markers.flatMap((marker) => this._marks(marker));
    this.place();
  }

  place() {
    for (const [node, at] of this.placed) this.view.place(node, at);
  }

  /* Go to the next marker, or with -1 to the one before. */
  step(direction) {
    const here = this.engine.position;
    const found = direction > 0
      ? this.markers.find(({ at }) => at > here + NEAR)
      : this.markers.findLast(({ at }) => at < here - 4 * NEAR);
    if (found) this.engine.seek(found.at);
    return found;
  }

  _item(marker) {
    const button = element("button");
    button.type = "button";
    button.append(
      element("b", "", clock(marker.at)),
      sign(SIGNS[marker.kind] ?? "flag"),
      element("span", "console-hidden", names()[marker.kind] ?? ""),
      element("span", "", marker.label),
    );
    button.dataset.kind = marker.kind;
    button.addEventListener("click", () => this.engine.seek(marker.at));
    const item = element("li");
    item.append(button);
    return item;
  }

  /* A flag under the ruler, and a line in the lane of whom it is about. */
  _marks(marker) {
    const flag = element("i", "flag");
    flag.append(sign(SIGNS[marker.kind] ?? "flag"));
    flag.title = `${clock(marker.at)} ${marker.label}`;
    flag.addEventListener("click", () => this.engine.seek(marker.at));
    const line = element("i", "line");
    for (const node of [flag, line]) node.dataset.kind = marker.kind;
    this.root.querySelector(".flags").append(flag);
    const lane = this.lanes.find(({ track }) => marker.raw_id && track.raw_id === marker.raw_id);
    (lane?.wave ?? this.view.over).append(line);
    return [[flag, marker.at], [line, marker.at]];
  }
}
