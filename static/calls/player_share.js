/* Links to a moment of a call: its page with `?t=` and seconds on the call's clock. */

import { clock, fill, _ } from "./text.js";

/* The moment this page was asked for, or null. */
export function askedMoment() {
  const asked = new URLSearchParams(location.search).get("t");
  const at = asked?.trim() ? Number(asked) : NaN;
  return Number.isFinite(at) && at >= 0 ? at : null;
}

export function linkTo(position) {
  const url = new URL(location.href);
  url.search = new URLSearchParams({ t: String(Math.round(position * 10) / 10) });
  url.hash = "";
  return url.href;
}

/* Copy a link; where the browser does not let us, show it to be copied by hand. */
export async function share(root, position) {
  const link = linkTo(position);
  const field = root.querySelector(".link");
  const words = { at: clock(position) };
  try {
    await navigator.clipboard.writeText(link);
    field.hidden = true;
    return fill(_("Link to %(at)s copied."), words);
  } catch {
    // Only https and localhost have a clipboard, and a user may have refused it.
    field.hidden = false;
    field.value = link;
    field.focus();
    field.select();
    return fill(_("Copy the link to %(at)s from the field."), words);
  }
}
