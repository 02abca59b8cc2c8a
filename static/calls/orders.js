/* Orders to a call: ask what an order has to be told, give it, follow it to its end.
 *
 * Shared by the wallboard and the page of a call. Data enters the page as text.
 */

import { element, post } from "./dom.js";
import { _, fill } from "./text.js";

const FOLLOW_MS = 400;

/* What is said is one word for each outcome: {ok, id, label, state_label, reason}. */
export async function give(call, kind, given = {}) {
  const said = await post(`/calls/${call}/commands/${kind}`, given);
  // An answer may be lost after the order was taken.
  const fault = said.status
    ? fill(_("The console answered %(status)s."), { status: said.status })
    : _("The console did not answer. The order may have been given: look at the call's timeline before you give it again.");
  return { reason: fault, ...said };
}

/* All that may be ordered of a call now, or null if the console does not answer. */
export async function offered(call) {
  try {
    const answer = await fetch(`/calls/${call}/commands/`, { headers: { Accept: "application/json" } });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

/* Resolves with the command once it is settled; `still` says whether to go on. */
export async function follow(call, id, still = () => true) {
  while (still()) {
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
    const found = (await offered(call))?.recent.find((command) => command.id === id);
    if (found && !found.open) return found;
  }
  return null;
}

/* Show an order's dialog. `send(given)` gives it: what is refused keeps the dialog open
 * with everything that was typed. Resolves with what was said, or null when cancelled. */
export function ask(dialog, who, send) {
  const box = element("dialog", "console-dialog");
  box.id = "order-dialog";
  const form = element("form");
  form.noValidate = true;
  const title = element("h2", "", `${dialog.title}?`);
  title.id = "order-dialog-title";
  box.setAttribute("aria-labelledby", title.id);
  form.append(title, element("p", "console-strong", who));
  if (dialog.warning) form.append(element("p", "console-warning", dialog.warning));
  if (dialog.note) form.append(element("p", "console-dim", dialog.note));
  const inputs = dialog.fields.map((field) => addField(form, field));
  const error = element("p", "console-bad");
  error.setAttribute("role", "alert");
  const menu = element("menu");
  const cancel = element("button", "", _("Cancel"));
  cancel.type = "button";
  const go = element("button", dialog.danger ? "danger" : "primary", dialog.title);
  menu.append(cancel, go);
  form.append(error, menu);
  box.append(form);
  document.body.append(box);
  const opener = document.activeElement;
  return new Promise((resolve) => {
    let said = null;
    cancel.addEventListener("click", () => box.close());
    box.addEventListener("close", () => {
      box.remove();
      opener?.focus?.();
      resolve(said);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      go.disabled = true;
      go.setAttribute("aria-busy", "true");
      error.textContent = "";
      const answer = await send(Object.fromEntries(new FormData(form)));
      go.disabled = false;
      go.removeAttribute("aria-busy");
      if (answer.ok) {
        said = answer;
        box.close();
      } else {
        error.textContent = answer.reason;
        (inputs[0] ?? go).focus();
      }
    });
    box.showModal();
    // What cannot be undone is not one Enter away.
    (inputs[0] ?? (dialog.warning ? cancel : go)).focus();
  });
}

function addField(form, field) {
  if (field.control === "tick") return addTick(form, field);
  if (field.control === "choice") return addChoice(form, field);
  const label = element("label", "console-field");
  label.append(element("span", "", field.required ? field.label : fill(_("%(field)s (optional)"), { field: field.label })));
  const input = element("input");
  input.name = field.name;
  input.autocomplete = "off";
  label.append(input);
  if (field.offered.length && !field.quick) {
    const list = element("datalist");
    list.id = `order-${field.name}-list`;
    list.append(...field.offered.map((value) => Object.assign(element("option"), { value })));
    input.setAttribute("list", list.id);
    label.append(list);
  }
  form.append(label);
  if (field.quick) {
    const row = element("div", "console-quick");
    for (const value of field.offered) {
      const button = element("button", "", value);
      button.type = "button";
      button.addEventListener("click", () => {
        input.value = value;
        input.focus();
      });
      row.append(button);
    }
    form.append(row);
  }
  addHelp(form, field, input);
  return input;
}

function addHelp(form, field, input) {
  if (!field.help) return;
  const help = element("small", "console-dim", field.help);
  help.id = `order-${field.name}-help`;
  input.setAttribute("aria-describedby", help.id);
  form.append(help);
}

/* What can be heard before it is chosen has a player beside it. */
function addChoice(form, field) {
  const label = element("label", "console-field");
  const select = element("select");
  select.name = field.name;
  select.append(...field.choices.map((choice) => new Option(choice.label, choice.value)));
  label.append(element("span", "", field.label), select);
  form.append(label);
  if (field.choices.some((choice) => choice.audio)) {
    const player = element("audio", "console-preview");
    player.controls = true;
    player.preload = "metadata";
    const show = () => {
      const chosen = field.choices.find((choice) => choice.value === select.value);
      player.src = chosen?.audio ?? "";
      player.setAttribute("aria-label", fill(_("Hear “%(name)s” here, not in the call"), { name: chosen?.label ?? "" }));
    };
    select.addEventListener("change", show);
    show();
    form.append(player);
  }
  addHelp(form, field, select);
  return select;
}

function addTick(form, field) {
  const label = element("label", "console-tick");
  const input = element("input");
  input.type = "checkbox";
  input.name = field.name;
  input.value = "yes";
  label.append(input, element("span", "", field.label));
  form.append(label);
  addHelp(form, field, input);
  return input;
}
