/* Figures of a call as the server's templates word them. */

import { clock } from "./text.js";

/* A short length of time, with what precision it deserves. */
export function brief(seconds) {
  if (seconds <= 0) return "0";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  return seconds < 60 ? `${seconds.toFixed(1)} s` : clock(seconds);
}

export function level(dbfs) {
  return dbfs === null || dbfs === undefined ? "–" : `${dbfs.toFixed(1)} dBFS`.replace("-", "\u2212");
}
