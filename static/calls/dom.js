/* Small helpers of every page. Data enters the page as text, never as HTML. */

export const $ = (id) => document.getElementById(id);

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/* Setting what is already there would still cost layout, and drop a text selection. */
export function say(node, text) {
  if (node.textContent === text) return;
  const only = node.firstChild;
  // The text of a text is changed in place: cheaper, and no node comes or goes.
  if (text && only && only === node.lastChild && only.nodeType === Node.TEXT_NODE) only.data = text;
  else node.textContent = text;
}

export function mark(node, name, value) {
  if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}

/* A sign of the icon font that comes with Unfold. */
export function sign(name) {
  const made = element("span", "material-symbols-outlined", name);
  made.setAttribute("aria-hidden", "true");
  return made;
}

/* Whether a key press belongs to a field, a dialog or the browser. */
export function isTaken(event) {
  const typing = event.target.closest("input, textarea, select, dialog, [contenteditable]");
  return Boolean(typing) || event.metaKey || event.ctrlKey || event.altKey;
}

/* POST as a form with the page's CSRF token; {ok, status, ...what was answered}. Status 0:
 * no answer came, though the request may have arrived. */
export async function post(url, given = {}) {
  const csrf = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  try {
    const answer = await fetch(url, {
      method: "POST",
      headers: { "X-CSRFToken": csrf, Accept: "application/json" },
      body: new URLSearchParams(given),
    });
    const isJson = (answer.headers.get("Content-Type") || "").includes("json");
    return { ok: answer.ok, status: answer.status, ...(isJson ? await answer.json() : {}) };
  } catch {
    return { ok: false, status: 0 };
  }
}
