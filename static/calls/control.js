/* The page of a live call: its orders, and what they and ACS change on it.
 *
 * The page asks for a signature; when that changed it fetches itself and takes over the
 * parts that live. So what is shown is made in one place: the templates.
 */

import { $ } from "./dom.js";
import { fetchPage, takeParts } from "./live_parts.js";
import { ask, follow, give, offered } from "./orders.js";
import { _, fill } from "./text.js";

const root = $("call");
const call = root.dataset.call;
const outcome = $("order-outcome");
const IDLE_MS = 2000;
const HIDDEN_MS = 15000;
const FAULTS_TOLD = 3;

let faults = 0;

function tell(text, tone = "") {
  outcome.textContent = text;
  outcome.dataset.tone = tone;
}

const dialogs = () => JSON.parse($("order-dialogs").textContent);
const buttonOf = (key) => [...root.querySelectorAll("[data-order]")].find((button) => button.dataset.key === key);

// --- orders -----------------------------------------------------------------------

root.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-order]");
  if (!button) return;
  event.preventDefault();
  if (button.getAttribute("aria-busy") === "true") return;
  if (button.getAttribute("aria-disabled") === "true") {
    tell(`${button.ariaLabel}: ${button.getAttribute("aria-description")}`, "bad");
    return;
  }
  const { order: kind, key, who } = button.dataset;
  const about = button.value ? { participant: button.value } : {};
  const send = (given) => give(call, kind, { ...given, ...about });
  const dialog = dialogs()[kind];
  let said;
  if (dialog.dialog) {
    said = await ask(dialog, who || document.title.split(" | ")[0], send);
    if (said === null) return;
  } else {
    button.setAttribute("aria-busy", "true");
    said = await send({});
  }
  if (said.ok) await watch(said, key);
  else {
    buttonOf(key)?.removeAttribute("aria-busy");
    tell(said.reason, "bad");
  }
});

/* From asked to settled, with the button busy all the while. */
async function watch(said, key) {
  buttonOf(key)?.setAttribute("aria-busy", "true");
  tell(fill(_("%(order)s: asked …"), { order: said.label }));
  const settled = await follow(call, said.id);
  await refresh();
  tell(settled.words, settled.state === "confirmed" ? "good" : "bad");
}

// --- what lives -------------------------------------------------------------------

async function refresh() {
  const found = await offered(call);
  faults = found ? 0 : faults + 1;
  if (faults === FAULTS_TOLD) tell(_("The console cannot be reached. What you see may be old."), "bad");
  if (!found) return true;
  if (found.signature !== root.dataset.signature) await replace();
  return found.call.live;
}

async function replace() {
  const fresh = (await fetchPage(root))?.getElementById(root.id);
  if (!fresh) return;
  takeParts(root, fresh);
  root.dataset.signature = fresh.dataset.signature;
}

async function live() {
  while (await refresh()) {
    await new Promise((resolve) => setTimeout(resolve, document.hidden ? HIDDEN_MS : IDLE_MS));
  }
  if (!outcome.textContent) tell(_("The call is over. Its recordings appear here when they are made."));
}

/* What was under way when the page was loaded is told, too. */
async function resume() {
  const found = await offered(call);
  const open = found?.recent.find((command) => command.open);
  if (open) await watch(open, `${open.kind} ${open.participant}`.trim());
}

live();
resume();
