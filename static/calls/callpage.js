/* The page of a call, live and archived alike.
 *
 * While a call lasts, and until its recordings are made, a socket tells each second what
 * is new. When the call ends the page turns itself into the page of an archived call:
 * it fetches itself and takes over what has changed. What is being typed stays.
 */

import { $ } from "./dom.js";
import { Feed } from "./callpage_feed.js";
import { lacksPeople, showFacts, showPeople } from "./callpage_figures.js";
import { Lanes } from "./lanes.js";
import { fetchPage, takeParts } from "./live_parts.js";

const root = $("call");
const AGAIN_MS = 2000;
const LEAST_MS = 5000;
let wasLive = root.dataset.liveCall === "true";
let asked = 0;

/* What the archived page needs beyond what is loaded: the player's style and script. */
function loadRest(page) {
  for (const link of page.head.querySelectorAll("link[rel=stylesheet]")) {
    if (!document.querySelector(`link[href="${CSS.escape(link.getAttribute("href"))}"]`)) document.head.append(document.importNode(link));
  }
  for (const script of page.head.querySelectorAll("script[type=module][src]")) {
    const source = script.getAttribute("src");
    // A module that was loaded is not run again.
    import(new URL(source, location.href).href).catch((error) => console.warn(`${source} was not loaded:`, error));
  }
}

/* The call is over: orders and what only live calls have go. */
async function end() {
  const page = await fetchPage(root);
  if (!page) return void setTimeout(end, AGAIN_MS);
  takeParts(root, page.getElementById(root.id));
  root.dataset.liveCall = "false";
}

/* Its recordings are made, or never will be. */
async function archive() {
  const page = await fetchPage(root);
  const recordings = page?.getElementById("recordings");
  if (!recordings) return void setTimeout(archive, AGAIN_MS);
  const there = $("recordings");
  const hadFocus = $("live-lanes")?.contains(document.activeElement);
  there.replaceWith(document.importNode(recordings, true));
  takeParts(root, page.getElementById(root.id));
  $("live-lanes")?.remove();
  $("listen")?.remove();
  $("talk")?.remove();
  $("order-outcome")?.replaceChildren();
  loadRest(page);
  if (hadFocus) $("recordings").querySelector("button, a")?.focus();
  document.dispatchEvent(new CustomEvent("call:archived", { detail: page }));
}

async function freshPeople() {
  if (performance.now() - asked < LEAST_MS) return;
  asked = performance.now();
  const page = await fetchPage(root);
  if (page) takeParts(root, page.getElementById(root.id));
}

if (root.dataset.socket) {
  const lanes = new Lanes($("live-lanes"));
  const feed = new Feed(root.dataset.socket, (message) => {
    if (message.over) {
      wasLive = false;
      feed.end();
      return archive();
    }
    lanes.take(message);
    showFacts(root, message);
    showPeople(root, message);
    document.dispatchEvent(new CustomEvent("call:told", { detail: message }));
    if (wasLive && !message.call.live) {
      wasLive = false;
      end();
    } else if (lacksPeople(root, message)) freshPeople();
    return undefined;
  });
}
