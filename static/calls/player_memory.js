/* What this browser remembers of how somebody likes to listen. */

const NAME = "acsstream.player";

/* {speed, isSkipping, volume, hasKeys}, each only if it was ever chosen. */
export function kept() {
  try {
    return JSON.parse(localStorage.getItem(NAME)) ?? {};
  } catch {
    // No storage, or something else in it: then nothing was chosen.
    return {};
  }
}

export function keep(chosen) {
  try {
    localStorage.setItem(NAME, JSON.stringify({ ...kept(), ...chosen }));
  } catch {
    // A browser that keeps nothing plays all the same.
  }
}
