/* Peaks of tracks: what waveforms are drawn from, and where nobody speaks. */

// Of full scale: a room at rest stays below -40 dBFS, speech does not.
const VOICE = 1.5 / 128;
// Seconds: shorter pauses belong to speech, and a word needs its breath around it.
const PAUSE = 1.2;
const BREATH = 0.2;

/* Peaks of a track: [highs, lows], 1 being full scale, and `pixel`, the seconds that one
 * of them stands for. Null if there are none. */
export async function peaksOf(track) {
  if (!track.peaks) return null;
  const answer = await fetch(track.peaks);
  if (!answer.ok) return null;
  const told = await answer.json();
  const { data, bits, length } = told;
  if (!length) return null;
  const [high, low] = [new Float32Array(length), new Float32Array(length)];
  const full = 2 ** (bits - 1);
  for (let at = 0; at < length; at += 1) {
    low[at] = data[2 * at] / full;
    high[at] = data[2 * at + 1] / full;
  }
  const pixel = told.samples_per_pixel / told.sample_rate || track.seconds / length;
  return Object.assign([high, low], { pixel });
}

export function loudest(waves) {
  let found = 0.02;
  for (const wave of waves) {
    for (const half of wave ?? []) for (const value of half) found = Math.max(found, Math.abs(value));
  }
  return found;
}

/* A track's peaks from one second of it to another, as so many columns. */
export function columns([high, low], pixel, from, to, count) {
  const made = [new Float32Array(count), new Float32Array(count)];
  const [start, step] = [from / pixel, (to - from) / pixel / count];
  for (let at = 0; at < count; at += 1) {
    const first = Math.min(Math.floor(start + at * step), high.length - 1);
    const end = Math.min(Math.max(Math.floor(start + (at + 1) * step), first + 1), high.length);
    for (let pixel = first; pixel < end; pixel += 1) {
      made[0][at] = Math.max(made[0][at], high[pixel]);
      made[1][at] = Math.min(made[1][at], low[pixel]);
    }
  }
  return made;
}

/* [from, to] where a track is loud enough to be speech, on the call's clock. */
function* voices(track, [high, low], pixel) {
  for (let at = 0; at < high.length; at += 1) {
    if (Math.max(high[at], -low[at]) < VOICE) continue;
    const from = at;
    while (at < high.length && Math.max(high[at], -low[at]) >= VOICE) at += 1;
    yield [track.offset + from * pixel - BREATH, track.offset + at * pixel + BREATH];
  }
}

/* [from, to] in which nobody speaks. What is missing (gaps, stops) is silent too. */
export function silences(tracks, waves, total) {
  const spoken = tracks.flatMap((track, at) => (waves[at] ? [...voices(track, waves[at], waves[at].pixel)] : []));
  spoken.sort((one, other) => one[0] - other[0]);
  const quiet = [];
  let end = 0;
  for (const [from, to] of [...spoken, [total, total]]) {
    if (from - end >= PAUSE) quiet.push([end, from]);
    end = Math.max(end, to);
  }
  return quiet;
}

export const secondsOf = (spans) => spans.reduce((sum, [from, to]) => sum + to - from, 0);
