/* Small charts of the last hour. A point that nobody took is a gap, never a nought. */

const SVG = "http://www.w3.org/2000/svg";
const [WIDTH, HEIGHT, EDGE] = [120, 26, 2];

export function sparkline() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("class", "board-spark");
  svg.setAttribute("role", "img");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("vector-effect", "non-scaling-stroke");
  svg.append(path);
  return svg;
}

/* `say` words a value; `name` says what is drawn. Bars stand on the ground; a line goes
 * from the lowest to the highest value, unless `range` says from where to where. */
export function draw(svg, points, { name, say, bars = false, range = null }) {
  const known = points.filter((one) => one !== null);
  svg.classList.toggle("empty", known.length === 0);
  svg.firstChild.setAttribute("d", known.length ? (bars ? barsOf(points) : lineOf(points, range ?? [Math.min(...known), Math.max(...known)])) : "");
  svg.setAttribute("aria-label", describe(name, points, known, say));
}

function describe({ none, some }, points, known, say) {
  if (!known.length) return none;
  const latest = points.at(-1);
  return some(latest === null ? "–" : say(latest), say(Math.min(...known)), say(Math.max(...known)));
}

const placeOf = (index, count) => ((index + 0.5) * WIDTH) / count;

function lineOf(points, [low, high]) {
  const heightOf = (value) =>
    // What never changes runs through the middle.
    high === low ? HEIGHT / 2 : HEIGHT - EDGE - ((value - low) / (high - low)) * (HEIGHT - 2 * EDGE);
  let pen = "M";
  return points.map((value, index) => {
    if (value === null) {
      pen = "M";
      return "";
    }
    const at = `${placeOf(index, points.length).toFixed(1)} ${heightOf(value).toFixed(1)}`;
    // A point between two gaps would have no length: its round ends show it.
    const drawn = pen === "M" ? `M${at}h0.01` : `L${at}`;
    pen = "L";
    return drawn;
  }).join("");
}

function barsOf(points) {
  const high = Math.max(...points.filter((one) => one !== null), 1);
  return points.map((value, index) => {
    if (value === null) return "";
    const tall = Math.max((value / high) * (HEIGHT - EDGE), value > 0 ? 3 : 0.5);
    return `M${placeOf(index, points.length).toFixed(1)} ${HEIGHT}v${-tall.toFixed(1)}`;
  }).join("");
}

/* Six points of ten seconds make a minute; one of which none was taken is a gap. */
export function byMinute(points, step) {
  const size = Math.max(1, Math.round(60 / step));
  const minutes = [];
  for (let at = points.length % size; at < points.length; at += size) {
    const known = points.slice(at, at + size).filter((one) => one !== null);
    minutes.push(known.length ? known.reduce((sum, one) => sum + one, 0) : null);
  }
  return minutes;
}
