// The page of preflight: each line is a request of its own, so that a check that waits
// for its time limit holds up no other. What is shown comes from the server as text.

import { _, fill, several } from "./text.js";

const form = document.getElementById("preflight");
const verdict = document.getElementById("verdict");
const again = document.getElementById("again");
const lines = [...form.querySelectorAll("[data-check]")];
const WORDS = { green: _("Green"), warning: _("Warning"), red: _("Red"), unknown: _("Unknown") };

function say(line, status, sentence, advice = "", took = "") {
  line.dataset.status = status;
  line.querySelector(".sign").title = WORDS[status] ?? "";
  line.querySelector(".sentence").textContent = sentence;
  line.querySelector(".advice").textContent = advice;
  line.querySelector(".took").textContent = took;
}

const length = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

async function check(line) {
  say(line, "checking", _("checking …"));
  const body = new FormData(form);
  try {
    const answer = await fetch(line.dataset.check, { method: "POST", body, redirect: "error" });
    if (!answer.ok) return say(line, "red", fill(_("The console answered %(status)s."), { status: answer.status }));
    const told = await answer.json();
    return say(line, told.status, told.sentence, told.advice, length(told.ms));
  } catch (error) {
    return say(line, "red", fill(_("The console did not answer: %(why)s."), { why: error.message }));
  }
}

function count(status) {
  return lines.filter((line) => line.dataset.status === status).length;
}

function sum() {
  const red = count("red");
  const soft = count("warning");
  const open = count("unknown");
  const parts = [fill(_("%(green)s of %(all)s green"), { green: count("green"), all: lines.length })];
  if (red) parts.push(fill(_("%(n)s red"), { n: red }));
  if (soft) parts.push(several("%(n)s warning", "%(n)s warnings", soft));
  if (open) parts.push(fill(_("%(n)s could not be told"), { n: open }));
  verdict.dataset.status = red ? "red" : soft ? "warning" : "green";
  verdict.textContent = `${parts.join(", ")}.`;
}

async function checkAll() {
  again.disabled = true;
  verdict.dataset.status = "checking";
  verdict.textContent = _("Checking …");
  await Promise.all(lines.map(check));
  sum();
  again.disabled = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  checkAll();
});
checkAll();
