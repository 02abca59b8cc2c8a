/* Fetches its own page until that is finished. `data-wait`: how often, in ms, where it
 * never is. */

import { $, say } from "./dom.js";
import { fetchPage, takeParts } from "./live_parts.js";
import { _ } from "./text.js";

const root = $("refresh");
const words = root.querySelector("[role=status]");
const WAIT_MS = Number(root.dataset.wait ?? 1000);

while (root.dataset.open !== "0") {
  await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  const fresh = (await fetchPage(root))?.getElementById(root.id);
  if (!fresh) {
    say(words, _("The console cannot be reached. What you see may be old."));
    continue;
  }
  takeParts(root, fresh);
  say(words, fresh.querySelector("[role=status]").textContent);
  root.dataset.open = fresh.dataset.open;
}
