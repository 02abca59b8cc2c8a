/* Which moment of the call somebody is at: chosen on the lanes, or played.
 *
 * A player says it by `data-at` on #player, seconds on the call's clock, or by the event
 * `call:moment` on the document, as the lanes do. Who can go to a moment listens to
 * `call:seek` and prevents its default.
 */

let chosen = null;

export function moment() {
  const player = document.getElementById("player");
  if (player?.dataset.at) return Number(player.dataset.at);
  if (chosen !== null) return chosen;
  const shown = player?.querySelector(".time b")?.textContent ?? "";
  const parts = shown.split(":").map(Number);
  return parts.length > 1 && parts.every(Number.isFinite) ? parts.reduce((sum, part) => 60 * sum + part, 0) : null;
}

export function watchMoment(told) {
  document.addEventListener("call:moment", (event) => {
    chosen = event.detail.at;
    told();
  });
}

/* A link to a moment: goes there on this page, if somebody here can. */
export function momentLink(link, at) {
  const address = new URL(location.href);
  address.searchParams.set("t", String(Math.round(at * 100) / 100));
  address.hash = "";
  link.href = address.pathname + address.search;
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    const seek = new CustomEvent("call:seek", { detail: { at }, cancelable: true });
    if (!document.dispatchEvent(seek)) event.preventDefault();
  });
}
