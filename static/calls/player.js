/* Plays a call: the mix, one participant, or several tracks at once, aligned.
 *
 * Tracks begin where their first packet did, so each has an offset on the call's clock.
 * One audible track leads the clock and the others are kept to it; where none has audio
 * (before the first word, after the last) the clock runs by itself.
 *
 * Without this file, or without the waveform library, the plain <audio> elements of the
 * page play all the same.
 */

const root = document.getElementById("player");
const tracks = JSON.parse(document.getElementById("player-tracks").textContent);
const transport = root.querySelector(".console-transport");
const head = root.querySelector(".head");
const lanesBox = root.querySelector(".lanes");
const total = Math.max(...tracks.map((track) => track.offset + track.seconds));

// Two tracks further apart than this sound like an echo.
const DRIFT = 0.06;
const SPEEDS = [1, 1.5, 2];

const lanes = tracks.map((track) => {
  const row = root.querySelector(`[data-id="${CSS.escape(track.id)}"]`);
  return {
    track,
    row,
    hear: row.querySelector(".hear"),
    wave: row.querySelector(".wave"),
    audio: row.querySelector("audio"),
    audible: false,
    waveform: null,
  };
});

let playing = false;
let position = 0; // seconds on the call's clock
let speed = 1;
let ranFrom = 0; // performance.now() of the last frame

function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (number) => String(number).padStart(2, "0");
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

const covers = (lane, at) => at >= lane.track.offset && at < lane.track.offset + lane.track.seconds;
/* An element may end a breath before the length we know; playing it then starts over. */
const hasAudio = (lane, at) =>
  covers(lane, at) && !(lane.audio.ended && at > lane.track.offset + lane.track.seconds - 0.5);
const heard = () => lanes.filter((lane) => lane.audible);

// --- who is heard -----------------------------------------------------------------

/* The mix already holds everybody: it is heard alone. */
function listen(chosen) {
  for (const lane of lanes) {
    lane.audible = chosen.includes(lane);
    lane.hear.setAttribute("aria-pressed", String(lane.audible));
    lane.hear.firstElementChild.textContent = lane.audible ? "volume_up" : "volume_off";
    lane.row.classList.toggle("heard", lane.audible);
    colour(lane);
    if (lane.audible) lane.audio.preload = "metadata";
    else lane.audio.pause();
  }
  if (playing) follow();
}

function toggleLane(lane) {
  if (lane.track.mix) return listen([lane]);
  const others = heard().filter((one) => one !== lane && !one.track.mix);
  const chosen = lane.audible ? others : [...others, lane];
  return listen(chosen.length ? chosen : [lane]);
}

// --- the clock --------------------------------------------------------------------

/* Bring every audible track to the call's clock. */
function follow() {
  for (const lane of heard()) {
    const { audio, track } = lane;
    audio.playbackRate = speed;
    const wanted = position - track.offset;
    if (!hasAudio(lane, position)) {
      if (!audio.paused) audio.pause();
    } else if (audio.paused && !lane.starting) {
      if (Math.abs(audio.currentTime - wanted) > DRIFT) audio.currentTime = wanted;
      lane.starting = true;
      audio.play().catch(failed).finally(() => { lane.starting = false; });
    }
  }
}

function failed(error) {
  // A pause that overtakes a play is no failure.
  if (error.name === "AbortError") return;
  stop();
  root.querySelector(".fault").textContent = error.name === "NotAllowedError"
    ? "The browser did not allow it to play."
    : "The recording cannot be played.";
}

function frame(now) {
  if (!playing) return;
  const current = heard().filter((lane) => hasAudio(lane, position));
  const leader = current.find((lane) => !lane.audio.paused && !lane.audio.seeking);
  if (leader) {
    position = leader.track.offset + leader.audio.currentTime;
    for (const lane of current) {
      const there = position - lane.track.offset;
      const off = Math.abs(lane.audio.currentTime - there) > DRIFT * speed;
      if (lane !== leader && !lane.audio.seeking && off) lane.audio.currentTime = there;
    }
  } else if (!current.length) {
    position += ((now - ranFrom) / 1000) * speed;
  }
  ranFrom = now;
  if (position >= total) return stop(total);
  follow();
  show();
  requestAnimationFrame(frame);
}

function play() {
  if (position >= total - 0.05) position = 0;
  playing = true;
  root.querySelector(".fault").textContent = "";
  ranFrom = performance.now();
  for (const lane of heard()) if (covers(lane, position)) lane.audio.currentTime = position - lane.track.offset;
  follow();
  show();
  requestAnimationFrame(frame);
}

function stop(at = position) {
  playing = false;
  position = Math.min(at, total);
  lanes.forEach((lane) => lane.audio.pause());
  show();
}

function seek(to) {
  position = Math.min(Math.max(to, 0), total);
  for (const lane of heard()) {
    if (covers(lane, position)) lane.audio.currentTime = position - lane.track.offset;
    else lane.audio.pause();
  }
  ranFrom = performance.now();
  show();
}

function setSpeed(value) {
  speed = value;
  lanes.forEach((lane) => { lane.audio.playbackRate = value; });
  for (const button of transport.querySelectorAll("[data-speed]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === value));
  }
}

function show() {
  transport.querySelector(".time b").textContent = clock(position);
  transport.querySelector(".time span").textContent = clock(total);
  const button = transport.querySelector("[data-do=toggle]");
  button.firstElementChild.textContent = playing ? "pause" : "play_arrow";
  button.setAttribute("aria-label", playing ? "Pause" : "Play");
  head.style.setProperty("--at", position / total);
}

// --- what is seen -----------------------------------------------------------------

function lay(lane) {
  const { track, wave } = lane;
  lane.audio.controls = false;
  lane.audio.hidden = true;
  const strip = document.createElement("div");
  strip.className = "strip";
  strip.style.left = `${(track.offset / total) * 100}%`;
  strip.style.width = `${(track.seconds / total) * 100}%`;
  wave.append(strip);
  for (const hole of track.holes) {
    const mark = document.createElement("i");
    mark.className = "hole";
    mark.dataset.kind = hole.kind;
    mark.style.left = `${((track.offset + hole.start) / total) * 100}%`;
    mark.style.width = `${(hole.seconds / total) * 100}%`;
    mark.title = `${hole.kind === "g" ? "Missing" : "Not streamed"}: ${hole.seconds.toFixed(2)} s at ${clock(track.offset + hole.start)}`;
    wave.append(mark);
  }
  wave.addEventListener("click", (event) => {
    const box = wave.getBoundingClientRect();
    seek(((event.clientX - box.left) / box.width) * total);
  });
  return strip;
}

/* Canvas knows no CSS variables: what is heard is drawn in the accent colour. */
function colour(lane) {
  const name = lane.audible ? "--c-accent" : "--wave";
  const waveColor = getComputedStyle(root).getPropertyValue(name).trim();
  lane.waveform?.setOptions({ waveColor, progressColor: waveColor });
}

async function peaksOf(track) {
  if (!track.peaks) return null;
  const answer = await fetch(track.peaks);
  if (!answer.ok) return null;
  const { data, bits, length } = await answer.json();
  const [high, low] = [new Float32Array(length), new Float32Array(length)];
  const full = 2 ** (bits - 1);
  for (let at = 0; at < length; at += 1) {
    low[at] = data[2 * at] / full;
    high[at] = data[2 * at + 1] / full;
  }
  return [high, low];
}

async function draw(strips) {
  if (!root.dataset.wavesurfer) return;
  const [{ default: WaveSurfer }, ...waves] = await Promise.all([
    import(root.dataset.wavesurfer),
    ...tracks.map((track) => peaksOf(track).catch(() => null)),
  ]);
  // One scale for all lanes: who is quiet looks quiet.
  let loudest = 0.02;
  for (const wave of waves) {
    for (const half of wave ?? []) for (const value of half) loudest = Math.max(loudest, Math.abs(value));
  }
  waves.forEach((peaks, at) => {
    if (!peaks) return;
    lanes[at].waveform = WaveSurfer.create({
      container: strips[at],
      peaks,
      duration: tracks[at].seconds,
      height: 44,
      normalize: true,
      maxPeak: loudest,
      cursorWidth: 0,
      interact: false,
      hideScrollbar: true,
      cspNonce: document.querySelector("meta[name=style-nonce]")?.content,
    });
    colour(lanes[at]);
  });
}

// --- hands and keys ---------------------------------------------------------------

const doing = {
  toggle: () => (playing ? stop() : play()),
  back: () => seek(position - 10),
  forward: () => seek(position + 10),
  all: () => listen(lanes.filter((lane) => !lane.track.mix)),
};
transport.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.do) doing[button.dataset.do]();
  if (button?.dataset.speed) setSpeed(Number(button.dataset.speed));
});

const keys = {
  " ": doing.toggle,
  j: doing.back,
  l: doing.forward,
  ArrowLeft: () => seek(position - 5),
  ArrowRight: () => seek(position + 5),
  ",": () => setSpeed(SPEEDS[Math.max(SPEEDS.indexOf(speed) - 1, 0)]),
  ".": () => setSpeed(SPEEDS[Math.min(SPEEDS.indexOf(speed) + 1, SPEEDS.length - 1)]),
};
document.addEventListener("keydown", (event) => {
  const taken = event.target.closest("input, textarea, select, [contenteditable], a, summary");
  const press = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  if (taken || !press || event.metaKey || event.ctrlKey || event.altKey) return;
  // Space on a focused button would press that button as well.
  event.preventDefault();
  press();
});

for (const lane of lanes) {
  lane.hear.addEventListener("click", () => toggleLane(lane));
  lane.audio.addEventListener("error", () => {
    lane.row.classList.add("broken");
    if (lane.audible && playing) failed(new Error("media"));
  });
}

const strips = lanes.map(lay);
transport.hidden = false;
head.hidden = false;
root.classList.add("ready");
transport.querySelector("[data-do=all]").hidden = tracks.filter((track) => !track.mix).length < 2;
listen([lanes[0]]);
show();
// Light to dark and back while the page is open.
new MutationObserver(() => lanes.forEach(colour)).observe(document.documentElement, { attributeFilter: ["class"] });
draw(strips).catch((error) => console.warn("no waveform:", error));
