/* What staff do about alarms: asking what has to be asked, sending, telling, undoing. */

import { $, element, post } from "./dom.js";
import { askAssignee, askReason } from "./inbox_dialogs.js";
import { fits } from "./inbox_row.js";
import { _, fill, several } from "./text.js";

const TOLD_MS = 7000;
const TOLD_BAD_MS = 12000;
const DONE = {
  acknowledge: (n) => several("Acknowledged.", "%(n)s acknowledged.", n),
  assign: (n) => several("Assigned to %(name)s.", "%(n)s assigned to %(name)s.", n),
  unassign: (n) => several("Assigned to nobody.", "%(n)s assigned to nobody.", n),
  close: (n) => several("Closed.", "%(n)s closed.", n),
  reopen: (n) => several("Open again.", "%(n)s are open again.", n),
};

/* What was done here and may be taken back, the last one last. */
const done = [];

function words(name, count, values = {}) {
  return fill(DONE[name](count), values);
}

export function tell(text, { tone = "", undo = null } = {}) {
  const toast = element("div", "console-toast inbox-toast");
  toast.dataset.tone = tone;
  toast.append(element("b", "", text));
  if (undo) {
    const button = element("button", "console-link", _("Undo (u)"));
    button.type = "button";
    button.addEventListener("click", () => {
      toast.remove();
      undo();
    });
    toast.append(button);
  }
  $("inbox-toasts").append(toast);
  setTimeout(() => toast.remove(), tone === "bad" ? TOLD_BAD_MS : TOLD_MS);
}

/* One alarm by its own address, many by the one for many; {ok, reason, refused}. */
export async function send(act, alarms, given) {
  const answer =
    alarms.length === 1
      ? await post(`/alarms/${alarms[0].id}/${act}`, given)
      : await post("/alarms/bulk", { act, ids: alarms.map((one) => one.id).join(","), ...given });
  if (!answer.ok && !answer.reason) {
    answer.reason = answer.status
      ? fill(_("The console answered %(status)s."), { status: answer.status })
      : _("The console did not answer. It may have been done: reload to see.");
  }
  document.dispatchEvent(new Event("console:changed"));
  return answer;
}

/* Resolves with what to send for an act, or null if nothing is to be sent. */
async function given(act, alarms) {
  if (act === "assign") return askAssignee(alarms);
  if (act === "close") return askReason(alarms);
  return {};
}

/* Do `act` to those of `alarms` it makes sense for. `then` looks again at what is. */
export async function perform(act, alarms, then) {
  const fitting = alarms.filter((one) => fits(act, one));
  if (!fitting.length) {
    if (alarms.length) tell(_("There is nothing to do about that."), { tone: "bad" });
    return;
  }
  const asked = await given(act, fitting);
  if (!asked) return;
  const { name, ...form } = asked;
  const was = fitting.length === 1 && act === "assign" ? { was: fitting[0].assignee?.id ?? "" } : {};
  const answer = await send(act, fitting, { ...form, ...was });
  const refused = new Map((answer.refused ?? []).map((one) => [one.id, one.reason]));
  const changed = answer.ok ? fitting.filter((one) => !refused.has(one.id)) : [];
  if (changed.length) {
    const entry = { act, alarms: changed, to: form.to };
    if (act !== "reopen") done.push(entry);
    const said = act === "assign" && !form.to ? "unassign" : act;
    tell(words(said, changed.length, { name }), { undo: act === "reopen" ? null : () => undo(then, entry) });
  }
  if (answer.reason) {
    const rest = fitting.length - changed.length;
    // Where the console did not say what it did, nobody knows of how many.
    const isKnown = answer.status > 0 && answer.status < 500;
    const many = fitting.length > 1 && isKnown ? `${several("%(n)s was left alone.", "%(n)s were left alone.", rest)} ` : "";
    tell(many + answer.reason, { tone: "bad" });
  }
  await then();
}

/* Take back what was done, the last thing unless told which; false if there is none. */
export async function undo(then, last = done.at(-1)) {
  if (!done.includes(last)) return false;
  done.splice(done.indexOf(last), 1);
  if (last.act === "assign") await giveBack(last);
  else {
    const answer = await send("reopen", last.alarms, {});
    if (answer.ok) tell(words("reopen", answer.done?.length ?? last.alarms.length));
    if (answer.reason) tell(answer.reason, { tone: "bad" });
  }
  await then();
  return true;
}

/* Each goes back to whom it belonged. */
async function giveBack({ alarms, to }) {
  for (const alarm of alarms) {
    const before = alarm.assignee;
    const answer = await send("assign", [alarm], { to: before?.id ?? "", was: to });
    if (!answer.ok) tell(answer.reason, { tone: "bad" });
    else tell(words(before ? "assign" : "unassign", 1, { name: before?.name }));
  }
}
