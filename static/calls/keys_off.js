/* Whether keys of one letter do something: people who dictate press them by accident
 * (WCAG 2.2, 2.1.4). One choice for all pages, kept in this browser.
 */

import { element } from "./dom.js";
import { keep, kept } from "./player_memory.js";
import { _ } from "./text.js";

/* "?" stays: it opens the list in which the switch is. */
export function keysAreOff(event) {
  return event.key.length === 1 && event.key !== "?" && kept().hasKeys === false;
}

/* The switch, for the list of a page's keys. */
export function keysSwitch() {
  const label = element("label", "console-keys-switch");
  const box = element("input");
  box.type = "checkbox";
  box.checked = kept().hasKeys !== false;
  box.addEventListener("change", () => keep({ hasKeys: box.checked }));
  label.append(box, ` ${_("Keys of one letter do something")}`);
  return label;
}
