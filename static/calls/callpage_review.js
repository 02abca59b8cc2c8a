/* Notes, tags, rating and follow-up of a call.
 *
 * Every change is a POST whose answer is all of it as it is now; what others change is
 * asked for now and then. What is being typed is left alone.
 */

import { $, element, post, say } from "./dom.js";
import { _, clock, fill } from "./text.js";
import { moment, watchMoment } from "./callpage_moment.js";
import { showNotes } from "./callpage_notes.js";
import { showTags } from "./callpage_tags.js";

const POLL_MS = 5000;
const RATE_MS = 400;

const root = $("review");
const may = root.dataset.may === "true";
const base = root.dataset.url.replace(/\.json$/, "");
const outcome = root.querySelector("[role=status]");
let now = JSON.parse($("review-now").textContent);
let last = "";
let changing = 0;

function tell(text, tone = "") {
  say(outcome, text);
  outcome.dataset.tone = tone;
}

/* Change something; true if it was taken. */
async function change(path, given, done = "") {
  changing += 1;
  const said = await post(`${base}/${path}`, given);
  changing -= 1;
  if (said.ok) {
    now = said;
    tell(done, "good");
  } else if (said.status) {
    tell(said.reason ?? fill(_("The console answered %(status)s."), { status: said.status }), "bad");
  } else {
    tell(_("The console did not answer. It may have been done: reload to see."), "bad");
  }
  show();
  return said.ok;
}

// --- what is shown ----------------------------------------------------------------

function showRating() {
  const chosen = root.querySelector(`[name=rating][value="${now.rating}"]`);
  for (const star of root.querySelectorAll("[name=rating]")) star.checked = star === chosen;
  const clear = root.querySelector(".rating .clear");
  if (clear) clear.hidden = now.rating === null;
  const said = root.querySelector(".said-rating");
  if (said) say(said, now.rating ? fill(_("%(rating)s of 5"), { rating: now.rating }) : _("not rated"));
}

const followUp = () => {
  if (!now.follow_up) return "";
  return now.assignee ? fill(_("follow-up: %(name)s"), { name: now.assignee.name }) : _("needs a follow-up");
};

function showFollowUp() {
  const needed = root.querySelector("[name=needed]");
  if (needed) {
    needed.checked = now.follow_up;
    const select = root.querySelector("[name=assignee]");
    select.disabled = !now.follow_up;
    const id = now.assignee ? String(now.assignee.id) : "";
    if (id && ![...select.options].some((one) => one.value === id)) {
      select.append(new Option(now.assignee.name, id));
    }
    select.value = id;
  }
  const said = root.querySelector(".said-follow-up");
  if (said) say(said, followUp() || _("none"));
}

/* The same in the facts at the top of the page. */
function showFacts() {
  const part = (name) => document.querySelector(`#call [data-review="${name}"]`);
  const rated = part("rating");
  if (!rated) return;
  if (now.rating) {
    const stars = element("span", "call-stars", "★".repeat(now.rating));
    stars.title = fill(_("%(rating)s of 5"), { rating: now.rating });
    rated.replaceChildren(stars);
  } else {
    const link = element("a", "console-link", _("not rated"));
    link.href = "#review";
    rated.replaceChildren(link);
  }
  part("tags").replaceChildren(...now.tags.flatMap((name) => [element("span", "call-tag", name), " "]));
  say(part("follow-up"), followUp());
}

function show() {
  if (changing) return;
  showRating();
  showFollowUp();
  showTags(root, now.tags, may, (name) => change("tags/remove", { name }, fill(_("“%(tag)s” was taken off."), { tag: name })));
  showNotes(root, now.notes, (note) => change(`notes/${note.id}/delete`, {}, _("The note was deleted.")));
  showFacts();
}

// --- hands and keys ---------------------------------------------------------------

function writeNotes() {
  const form = root.querySelector(".write");
  const { text, about } = form.elements;
  let at = null;
  form.hidden = false;
  const offer = () => {
    if (!about.checked) at = moment();
    about.parentElement.hidden = at === null;
    say(about.nextElementSibling, fill(_("about the moment %(at)s"), { at: clock(at ?? 0) }));
  };
  watchMoment(offer);
  about.addEventListener("change", offer);
  form.addEventListener("focusin", offer);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    if (button.disabled) return;
    button.disabled = true;
    const given = { text: text.value };
    if (about.checked && at !== null) given.at = at.toFixed(2);
    if (await change("notes", given, _("The note is kept."))) {
      text.value = "";
      about.checked = false;
      offer();
    }
    button.disabled = false;
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    form.requestSubmit();
  });
  offer();
}

function rate() {
  let waiting = 0;
  const send = (rating) => {
    clearTimeout(waiting);
    // Arrow keys pass over the stars between.
    waiting = setTimeout(() => change("rating", { rating }, rating ? fill(_("Rated %(rating)s of 5."), { rating }) : _("The rating was taken back.")), RATE_MS);
  };
  const stars = root.querySelector(".rating");
  stars.addEventListener("change", (event) => send(event.target.value));
  stars.querySelector(".clear").addEventListener("click", () => {
    stars.querySelector("[name=rating]").focus();
    send("");
  });
}

function tag() {
  const form = root.querySelector(".tagging");
  const field = form.elements.name;
  const add = async () => {
    for (const name of field.value.split(",").filter((one) => one.trim())) {
      if (!(await change("tags", { name }))) return;
    }
    field.value = "";
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    add();
  });
  field.addEventListener("keydown", (event) => {
    if (event.key !== ",") return;
    event.preventDefault();
    add();
  });
  let asked = "";
  field.addEventListener("input", async () => {
    asked = field.value.trim();
    const wanted = asked;
    const answer = await fetch(`${root.dataset.tags}?q=${encodeURIComponent(wanted)}`).catch(() => null);
    if (!answer?.ok || wanted !== asked) return;
    const { tags } = await answer.json();
    $("tag-names").replaceChildren(...tags.filter((name) => !now.tags.includes(name)).map((name) => new Option("", name)));
  });
}

function follow() {
  const box = root.querySelector(".follow-up");
  const [needed, by] = [box.querySelector("[name=needed]"), box.querySelector("[name=assignee]")];
  box.addEventListener("change", () => {
    change("follow-up", { needed: needed.checked ? "1" : "0", assignee: needed.checked ? by.value : "" }, followUp() && !needed.checked ? _("No follow-up is needed.") : _("The follow-up is kept."));
  });
}

// --- what others change -----------------------------------------------------------

async function keepUp() {
  while (root.isConnected) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    if (document.hidden || changing) continue;
    // `no-cache` asks whether something is new: if not, the answer is a 304 of no size.
    const answer = await fetch(root.dataset.url, { cache: "no-cache" }).catch(() => null);
    if (!answer?.ok || changing) continue;
    const text = await answer.text();
    if (text === last || changing) continue;
    last = text;
    now = JSON.parse(text);
    show();
  }
}

if (may) {
  writeNotes();
  rate();
  tag();
  follow();
}
show();
keepUp();
