/* The keyboard of the player. Keys belong to a field, a dialog or a button first. */

const FIELDS = "input:not([type=range]), textarea, select, dialog, [contenteditable]";
const STEERING = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End", "PageUp", "PageDown"];

// Space presses a button that was reached by keyboard; one that was clicked only has the
// focus because it was clicked, and Space plays on. (:focus-visible cannot tell: it turns
// true with the key.)
let clicked = null;
document.addEventListener("pointerdown", ({ target }) => { clicked = target.closest("button"); });

/* Whether what has the focus wants this key itself. */
export function isWanted(event) {
  const { target, key } = event;
  if (event.metaKey || event.ctrlKey || event.altKey || target.closest(FIELDS)) return true;
  if (target.closest("[type=range]")) return STEERING.includes(key);
  const pressable = target.closest("button, a, summary, [role=button]");
  return (key === " " || key === "Enter") && pressable !== null && pressable !== clicked;
}

/* What `keys` does for an event; undefined if it is none of ours. */
function wanted(keys, event) {
  const { key } = event;
  return keys[key.length === 1 ? key.toLowerCase() : key];
}

/* `keys`: what each key does. `isOn()`: whether single characters are keys at all. */
export function listenToKeys(keys, root, isOn) {
  document.addEventListener("keydown", (event) => {
    const press = wanted(keys, event);
    if (!press || event.defaultPrevented || isWanted(event)) return;
    const isInside = root.contains(event.target);
    // Home and End are the page's own, but for whoever is in the player.
    if (["Home", "End"].includes(event.key) && !isInside) return;
    if (event.key.length === 1 && event.key !== "?" && !isOn() && !isInside) return;
    event.preventDefault();
    press(event);
  });
}
