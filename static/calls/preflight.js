// The page of preflight: each line is a request of its own, so that a check that waits
// for its time limit holds up no other. What is shown comes from the server as text.

const form = document.getElementById("preflight");
const verdict = document.getElementById("verdict");
const again = document.getElementById("again");
const lines = [...form.querySelectorAll("[data-check]")];
const WORDS = { green: "Green", warning: "Warning", red: "Red", unknown: "Unknown" };

function say(line, status, sentence, advice = "", took = "") {
  line.dataset.status = status;
  line.querySelector(".sign").title = WORDS[status] ?? "";
  line.querySelector(".sentence").textContent = sentence;
  line.querySelector(".advice").textContent = advice;
  line.querySelector(".took").textContent = took;
}

const length = (ms) => (ms < 1000 ? `${ms} ms` : `${(ms / 1000).toFixed(1)} s`);

async function check(line) {
  say(line, "checking", "checking …");
  const body = new FormData(form);
  try {
    const answer = await fetch(line.dataset.check, { method: "POST", body, redirect: "error" });
    if (!answer.ok) throw new Error(`the console answers ${answer.status}`);
    const told = await answer.json();
    say(line, told.status, told.sentence, told.advice, length(told.ms));
  } catch (fault) {
    say(line, "red", `The console could not be asked: ${fault.message}.`);
  }
}

function count(status) {
  return lines.filter((line) => line.dataset.status === status).length;
}

function sum() {
  const red = count("red");
  const soft = count("warning");
  const open = count("unknown");
  const parts = [`${count("green")} of ${lines.length} green`];
  if (red) parts.push(`${red} red`);
  if (soft) parts.push(soft === 1 ? "1 warning" : `${soft} warnings`);
  if (open) parts.push(`${open} could not be told`);
  verdict.dataset.status = red ? "red" : soft ? "warning" : "green";
  verdict.textContent = `${parts.join(", ")}.`;
}

async function checkAll() {
  again.disabled = true;
  verdict.dataset.status = "checking";
  verdict.textContent = "Checking …";
  await Promise.all(lines.map(check));
  sum();
  again.disabled = false;
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  checkAll();
});
checkAll();
