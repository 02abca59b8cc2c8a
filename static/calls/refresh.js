/* A page that is not finished fetches itself until it is. */

/* A page that never is says how often: `data-wait`, in milliseconds. */

const root = document.getElementById("refresh");
const words = root.querySelector("[role=status]");
const WAIT_MS = Number(root.dataset.wait ?? 1000);

async function fetched() {
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return null;
    return new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("refresh");
  } catch {
    return null;
  }
}

while (root.dataset.open !== "0") {
  await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
  const page = await fetched();
  if (!page) {
    words.textContent = "The console cannot be reached. What you see may be old.";
    continue;
  }
  for (const part of root.querySelectorAll("[data-live]")) {
    const fresh = page.querySelector(`[data-live="${part.dataset.live}"]`);
    // What has not changed keeps its focus and its selection.
    if (fresh.innerHTML !== part.innerHTML) part.replaceChildren(...fresh.childNodes);
  }
  const said = page.querySelector("[role=status]").textContent;
  if (words.textContent !== said) words.textContent = said;
  root.dataset.open = page.dataset.open;
}
