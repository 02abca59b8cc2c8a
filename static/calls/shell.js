/* What every page of the console needs. */

import { choose, tell } from "./zone.js";

tell();
document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-zone]");
  if (!button) return;
  choose(button.dataset.zone);
  location.reload();
});

/* Django's list of rights names its sign by aria-label, which a bare span may not have.
 * It makes that sign when the page has loaded. */
function name() {
  for (const sign of document.querySelectorAll(".help-tooltip[aria-label]")) sign.setAttribute("role", "img");
}
addEventListener("load", () => setTimeout(name));
