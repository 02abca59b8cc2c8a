/* Parts of a page that keep up with the server: those marked `data-live`. They are made
 * in one place, the templates: the page fetches itself and takes them over. */

/* The page as it is now, or null: the console does not answer, or with another page. */
export async function fetchPage(root) {
  try {
    const answer = await fetch(location.href, { cache: "no-cache" });
    if (!answer.ok) return null;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    return page.getElementById(root.id) && page;
  } catch {
    return null;
  }
}

/* Take over what has changed. What has not keeps its focus and its selection; what has
 * the focus and is replaced hands it to what is there in its place. */
export function takeParts(root, freshRoot) {
  for (const part of root.querySelectorAll("[data-live]")) {
    const fresh = freshRoot.querySelector(`[data-live="${CSS.escape(part.dataset.live)}"]`);
    if (!fresh || fresh.innerHTML === part.innerHTML) continue;
    const focused = part.contains(document.activeElement) && selectorOf(document.activeElement);
    part.replaceChildren(...fresh.childNodes);
    if (focused) part.querySelector(focused)?.focus({ preventScroll: true });
  }
}

/* How to find again what has no script of its own; null if nothing tells it from others. */
function selectorOf(node) {
  const name = ["id", "data-key", "href"].find((one) => node.hasAttribute(one));
  return name ? `[${name}="${CSS.escape(node.getAttribute(name))}"]` : null;
}
