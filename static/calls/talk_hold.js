/* What one holds to speak: a button, Space, or a switch that holds by itself.
 *
 * Space belongs to a field, a dialog or what it would press, before it is ours: only the
 * button to hold gives it to us, and a button that was clicked, which has the focus for
 * no other reason. Where single keys are switched off, Space is the page's own. A press
 * that comes from no pointer (Enter, a screen reader) holds until the next one.
 */

import { keysAreOff } from "./keys_off.js";
import { isWanted } from "./player_keys.js";

export function listenToHolds({ root, hold, latch }, { begin, release, can, holds }) {
  let isSpaceOurs = false;

  const toggle = () => (holds() === "latch" ? release("latch") : begin("latch"));

  document.addEventListener("keydown", (event) => {
    if (!root.isConnected) return;
    if (event.key === "Escape" && holds()) return void release();
    if (event.key !== " ") return;
    if (event.repeat) return void (isSpaceOurs && event.preventDefault());
    const isOnHold = event.target === hold && !event.ctrlKey && !event.altKey && !event.metaKey;
    if (event.defaultPrevented || (!isOnHold && (isWanted(event) || keysAreOff(event))) || !can()) return;
    event.preventDefault();
    isSpaceOurs = true;
    begin("space");
  });
  document.addEventListener("keyup", (event) => {
    if (event.key !== " " || !isSpaceOurs) return;
    // Else it would press the button that has the focus.
    event.preventDefault();
    isSpaceOurs = false;
    release("space");
  });
  // The key is let go elsewhere then, and nobody tells.
  addEventListener("blur", () => { isSpaceOurs = false; });

  hold.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    hold.setPointerCapture(event.pointerId);
    begin("button");
  });
  for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) hold.addEventListener(end, () => release("button"));
  hold.addEventListener("contextmenu", (event) => event.preventDefault());
  hold.addEventListener("click", (event) => event.detail === 0 && toggle());
  latch.addEventListener("click", toggle);
}
