/* Who listens to this call and who speaks into it, told to everybody who looks at it. */

import { $, mark, say } from "./dom.js";
import { _, fill, several } from "./text.js";

const line = $("listeners");
const EVERY_MS = 5000;
const HIDDEN_MS = 20000;

function show(users) {
  const self = line.dataset.user;
  const named = users.map((user) => (user === self ? fill(_("%(who)s (you)"), { who: user }) : user));
  mark(line, "count", users.length);
  line.hidden = !users.length;
  const words = users.length === 1 ? _("%(who)s is listening to this call.") : _("%(who)s are listening to this call.");
  say(line.querySelector("span:last-child"), users.length ? fill(words, { who: named.join(", ") }) : "");
  line.title = several("%(n)s person listens", "%(n)s people listen", users.length);
}

const voice = $("talker");

function speaks(user) {
  voice.hidden = !user;
  const words = user === line.dataset.user ? _("You are speaking into this call.") : _("%(who)s is speaking into this call from the console.");
  say(voice.querySelector("span:last-child"), user ? fill(words, { who: user }) : "");
}

async function ask() {
  try {
    const answer = await fetch(line.dataset.url, { headers: { Accept: "application/json" } });
    if (answer.ok) {
      const { users, speaking } = await answer.json();
      show(users ?? []);
      speaks(speaking);
    }
  } catch {
    // The page's own signs say that the console cannot be reached.
  }
  setTimeout(ask, document.hidden ? HIDDEN_MS : EVERY_MS);
}

/* The sockets of listening and speaking know sooner. */
document.addEventListener("listeners", ({ detail }) => show(detail));
document.addEventListener("talker", ({ detail }) => speaks(detail));
ask();
