/* Draws lanes on canvases, from a moment on: what was drawn before stays. */

import { LOUDEST, PER_SECOND } from "./lanes_store.js";

// Whispers are to be seen beside shouts: closer to how loud it sounds than plain scale.
const CURVE = 0.6;
const HATCH = 6;
// A gap of one packet must not vanish.
const LEAST_HOLE = 3;
// Our own raw id: what we say into the call.
const US = "us";

/* Canvas knows no CSS variables. */
export function colours(node) {
  const style = getComputedStyle(node);
  const of = (name) => style.getPropertyValue(name).trim();
  return {
    talk: of("--c-accent"),
    line: of("--c-line"),
    silent: of("--c-silence"),
    dim: of("--c-dim"),
    gap: of("--c-bad"),
    gapSoft: of("--c-bad-soft"),
    stopped: of("--c-plain-soft"),
    panel: of("--c-panel"),
  };
}

/* Make a canvas as sharp as the screen; true if that emptied it. */
export function fit(canvas) {
  const scale = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const wide = Math.round(width * scale);
  const high = Math.round(height * scale);
  if (canvas.width === wide && canvas.height === high) return false;
  canvas.width = wide;
  canvas.height = high;
  canvas.getContext("2d").setTransform(scale, 0, 0, scale, 0, 0);
  return true;
}

function hatch(pen, left, right, height, colour) {
  pen.save();
  pen.beginPath();
  pen.rect(left, 0, right - left, height);
  pen.clip();
  pen.strokeStyle = colour;
  pen.lineWidth = 2;
  pen.beginPath();
  // From fixed places, so that what is drawn anew fits what was there.
  for (let x = Math.floor((left - height) / HATCH) * HATCH; x < right; x += HATCH) {
    pen.moveTo(x, height);
    pen.lineTo(x + height, 0);
  }
  pen.stroke();
  pen.restore();
}

function drawHoles(pen, lane, view, width, height, from, paint) {
  for (const { kind, start, seconds } of lane.holesIn(from, view.start + view.seconds)) {
    const left = view.x(start, width);
    const right = Math.max(view.x(start + seconds, width), left + LEAST_HOLE);
    pen.clearRect(left, 0, right - left, height);
    // What we did not say nobody paused: we were silent.
    if (kind !== "g" && lane.raw === US) continue;
    pen.fillStyle = kind === "g" ? paint.gapSoft : paint.stopped;
    pen.fillRect(left, 0, right - left, height);
    hatch(pen, left, right, height, kind === "g" ? paint.gap : paint.line);
  }
}

function drawColumn(pen, x, wide, peak, height, paint) {
  const middle = height / 2;
  if (peak < 0) {
    pen.fillStyle = paint.dim;
    pen.fillRect(x, middle - 1, wide, 2);
  } else if (peak === 0) {
    pen.fillStyle = paint.silent;
    pen.fillRect(x, middle - 0.5, wide, 1);
  } else {
    const half = Math.max(Math.pow(peak / LOUDEST, CURVE) * (middle - 2), 1);
    pen.fillStyle = paint.talk;
    pen.fillRect(x, middle - half, wide, 2 * half);
  }
}

/* Draw a lane from the moment `from` on, up to the end of what is in sight. */
export function drawLane(canvas, lane, view, from, paint, { isPaused }) {
  const pen = canvas.getContext("2d");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const slot = view.x(view.start + 1 / PER_SECOND, width);
  // Whole columns: half of one would be drawn over the half that is there.
  const step = Math.max(slot, 1);
  const begin = Math.max(Math.floor(view.x(Math.max(from, view.start), width) / step - 1), 0) * step;
  pen.clearRect(begin, 0, width - begin, height);
  const end = Math.min(width, view.x(Math.min(lane.end, view.start + view.seconds), width));
  const wide = step > 3 ? step - 1 : step + 0.2;
  for (let x = begin; x < end; x += step) {
    const peak = lane.peak(view.at(x, width), view.at(x + step, width));
    if (peak !== null) drawColumn(pen, x, peak > 0 ? wide : step, peak, height, paint);
  }
  drawHoles(pen, lane, view, width, height, view.at(begin, width), paint);
  const now = view.x(view.clock, width);
  if (isPaused && now > end) {
    pen.fillStyle = paint.stopped;
    pen.fillRect(Math.max(end, begin), 0, now - Math.max(end, begin), height);
    hatch(pen, Math.max(end, begin), now, height, paint.line);
  }
  return begin;
}

export function drawRuler(canvas, view, paint, words) {
  const pen = canvas.getContext("2d");
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  pen.clearRect(0, 0, width, height);
  pen.font = `11px ${getComputedStyle(canvas).fontFamily}`;
  pen.textBaseline = "top";
  for (const at of view.ticks(width)) {
    const x = view.x(at, width);
    pen.fillStyle = paint.line;
    pen.fillRect(Math.round(x), height - 6, 1, 6);
    const text = words(at);
    const room = pen.measureText(text).width;
    pen.fillStyle = paint.dim;
    pen.fillText(text, Math.min(Math.max(x - room / 2, 0), width - room), 1);
  }
}
