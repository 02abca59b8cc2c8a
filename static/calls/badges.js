/* Keeps the counts of the sidebar fresh on every page of the console, without a reload.
 *
 * A plain script and no module: Unfold links it in the head of each page. One request
 * every few seconds, none while the tab is hidden. A page that has just changed
 * something says so: document.dispatchEvent(new Event("console:changed")).
 */

(() => {
  const EVERY_MS = 5000;
  const UNREACHED_MS = 30000;
  const URL = "/alarms/badges.json";

  let timer = 0;
  let isAsking = false;

  function show(found) {
    for (const [key, badge] of Object.entries(found)) {
      for (const node of document.querySelectorAll(`[data-badge="${CSS.escape(key)}"]`)) {
        const count = node.querySelector(".count");
        const text = badge.count ? String(badge.count) : "";
        if (count.textContent !== text) count.textContent = text;
        node.hidden = !badge.count;
        node.dataset.tone = badge.tone;
        node.title = `${badge.count} ${badge.words}`;
      }
    }
  }

  async function ask() {
    clearTimeout(timer);
    if (document.hidden || isAsking) return;
    isAsking = true;
    let wait = UNREACHED_MS;
    try {
      const answer = await fetch(URL, { headers: { Accept: "application/json" } });
      if (answer.ok) {
        show(await answer.json());
        wait = EVERY_MS;
      }
    } catch {
      // The page itself says when the console is gone.
    }
    isAsking = false;
    if (!document.hidden) timer = setTimeout(ask, wait);
  }

  function begin() {
    if (!document.querySelector("[data-badge]")) return;
    document.addEventListener("visibilitychange", ask);
    document.addEventListener("console:changed", ask);
    timer = setTimeout(ask, EVERY_MS);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
