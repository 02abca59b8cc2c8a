/* What all parts of the wallboard look at: the newest snapshot, and what never changes. */

import { $ } from "./dom.js";

const read = (id) => JSON.parse($(id).textContent);

export const rights = read("dashboard-rights");
export const words = read("dashboard-words");
export const mayListen = $("dashboard").dataset.listen === "yes";

export const state = {
  snapshot: read("dashboard-first"),
  trend: null,
  heardAt: null, // performance.now() when the last snapshot came over the socket
  openedAt: performance.now(),
  socketUp: false,
  skew: 0, // what this machine's clock lacks to the server's, seconds
};

export const serverNow = () => Date.now() / 1000 + state.skew;
export const urlOf = (id) => words.call_url.replace(words.no_call, id);

/* Seconds since something was heard. */
export const silentFor = () => (performance.now() - (state.heardAt ?? state.openedAt)) / 1000;
