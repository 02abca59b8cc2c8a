/* The archive: the filter panel, and menus that close as menus do. The list itself is
 * the server's; without this script all of it works but the panel.
 */
import { $, isTaken } from "./dom.js";

const panel = $("archive-filters");
const button = $("archive-filters-button");

function panelShow(isShown) {
  panel.hidden = !isShown;
  button.setAttribute("aria-expanded", String(isShown));
  if (isShown) panel.querySelector("select, input:not([type=hidden])")?.focus();
}

button.addEventListener("click", () => panelShow(panel.hidden));

/* Addresses are read and shared: what is empty has no place in them. */
function withoutEmpty(event) {
  for (const field of event.target.elements) {
    if (field.name && !field.value) field.disabled = true;
  }
}

for (const form of [panel, document.querySelector(".archive-search")]) {
  form.addEventListener("submit", withoutEmpty);
}
// Back again, the browser would show the fields as they were left.
window.addEventListener("pageshow", () => {
  for (const field of document.querySelectorAll(".archive [disabled][name]:not([type=checkbox])")) field.disabled = false;
});

const menus = [...document.querySelectorAll(".archive-menu")];

for (const menu of menus) {
  menu.addEventListener("toggle", () => {
    if (menu.open) menu.querySelector("input:not([type=hidden], [disabled]), button")?.focus();
  });
}

document.addEventListener("click", (event) => {
  for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const open = menus.find((menu) => menu.open);
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    } else if (panel.contains(document.activeElement)) {
      panelShow(false);
      button.focus();
    }
  } else if (event.key === "/" && !isTaken(event)) {
    event.preventDefault();
    $("searchbar").focus();
  }
});
