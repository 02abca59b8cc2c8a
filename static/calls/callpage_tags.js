/* A call's tags as chips, each with a button that takes it off. */

import { element, sign } from "./dom.js";
import { _, fill } from "./text.js";

function chip(name, may, remove) {
  const made = element("li", "call-tag", name);
  made.dataset.key = name;
  if (!may) return made;
  const button = element("button");
  button.type = "button";
  button.setAttribute("aria-label", fill(_("Take the tag %(tag)s off"), { tag: name }));
  button.append(sign("close"));
  button.addEventListener("click", async () => {
    await remove(name);
    document.getElementById("tag-name")?.focus();
  });
  made.append(button);
  return made;
}

export function showTags(root, names, may, remove) {
  const list = root.querySelector(".tags");
  const known = new Map([...list.children].map((one) => [one.dataset.key, one]));
  list.replaceChildren(...names.map((name) => known.get(name) ?? chip(name, may, remove)));
}
