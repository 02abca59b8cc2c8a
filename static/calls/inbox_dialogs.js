/* The inbox's dialogs: to whom, why, and which keys there are. */

import { element } from "./dom.js";
import { keysSwitch } from "./keys_off.js";
import { _, several } from "./text.js";

const REASONS = [
  ["fixed", _("Fixed")],
  ["false alarm", _("False alarm")],
  ["customer side", _("Customer side")],
  ["known problem", _("Known problem")],
  ["other", _("Other")],
];

/* A dialog with a form. `read` returns what was answered, or a string: what is wrong.
 * Resolves with the answer, or null when cancelled. */
function open(title, go, build, read) {
  const box = element("dialog", "console-dialog inbox-dialog");
  box.id = "inbox-dialog";
  const form = element("form");
  form.noValidate = true;
  const heading = element("h2", "", title);
  heading.id = "inbox-dialog-title";
  box.setAttribute("aria-labelledby", heading.id);
  const error = element("p", "console-bad");
  error.setAttribute("role", "alert");
  const menu = element("menu");
  const cancel = element("button", "", go ? _("Cancel") : _("Done"));
  cancel.type = "button";
  menu.append(cancel);
  if (go) menu.append(element("button", "primary", go));
  form.append(heading);
  box.append(form);
  document.body.append(box);
  const opener = document.activeElement;
  return new Promise((resolve) => {
    let said = null;
    const finish = () => {
      const answer = read();
      if (typeof answer === "string") {
        error.textContent = answer;
        return;
      }
      said = answer;
      box.close();
    };
    const first = build(form, finish);
    form.append(error, menu);
    cancel.addEventListener("click", () => box.close());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      finish();
    });
    box.addEventListener("close", () => {
      box.remove();
      if (opener?.isConnected) opener.focus({ preventScroll: true });
      resolve(said);
    });
    box.showModal();
    (first ?? cancel).focus();
  });
}

// --- why --------------------------------------------------------------------------

export function askReason(alarms) {
  let text;
  const radios = [];
  const build = (form) => {
    const set = element("fieldset", "console-choices");
    set.append(element("legend", "console-hidden", _("Reason")));
    REASONS.forEach(([value, name], index) => {
      const label = element("label");
      const radio = element("input");
      Object.assign(radio, { type: "radio", name: "reason", value, checked: index === 0 });
      radios.push(radio);
      const key = element("kbd", "", String(index + 1));
      key.setAttribute("aria-hidden", "true");
      label.append(radio, element("span", "", name), key);
      set.append(label);
    });
    const field = element("label", "console-field");
    text = element("input");
    Object.assign(text, { name: "text", maxLength: 400, autocomplete: "off" });
    field.append(element("span", "", _("In words (optional, but for “Other”)")), text);
    form.append(set, field);
    form.addEventListener("keydown", (event) => {
      const chosen = event.target === text ? null : radios[Number(event.key) - 1];
      if (!chosen) return;
      event.preventDefault();
      chosen.checked = true;
      (chosen.value === "other" ? text : chosen).focus();
    });
    return radios[0];
  };
  const read = () => {
    const reason = radios.find((one) => one.checked).value;
    const words = text.value.trim();
    if (reason === "other" && !words) {
      text.focus();
      return _("Say why, in a few words.");
    }
    if (reason === "other") return { reason: words };
    return { reason: words ? `${reason}: ${words}` : reason };
  };
  const title = several("Close this problem", "Close %(n)s problems", alarms.length);
  return open(title, _("Close"), build, read);
}

// --- to whom ----------------------------------------------------------------------

async function handlers() {
  try {
    const answer = await fetch("/alarms/handlers.json", { headers: { Accept: "application/json" } });
    return answer.ok ? (await answer.json()).people : null;
  } catch {
    return null;
  }
}

function optionsOf(people, alarms) {
  const named = people.map((one) => ({
    to: one.id,
    name: one.name,
    shown: one.me ? `${one.name} (${_("me")})` : one.name,
    more: one.full_name,
  }));
  const nobody = { to: "", name: "", shown: _("Nobody"), more: _("take it from whoever has it") };
  return alarms.some((one) => one.assignee) ? [...named, nobody] : named;
}

/* Opens at once: what is typed next belongs to it. Who there is comes when it comes. */
export function askAssignee(alarms) {
  let options = null;
  let shown = [];
  let at = 0;
  const input = element("input");
  const list = element("ul", "inbox-people");
  const show = () => {
    const wanted = input.value.trim().toLowerCase();
    shown = (options ?? []).filter((one) => `${one.shown} ${one.more}`.toLowerCase().includes(wanted));
    at = Math.min(at, Math.max(0, shown.length - 1));
    list.replaceChildren(...shown.map((one, index) => personOf(one, index, index === at)));
    const none = options ? _("Nobody of that name may handle alarms.") : _("Looking who there is …");
    if (!shown.length) list.append(element("li", "console-dim", none));
    list.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
    if (shown.length) input.setAttribute("aria-activedescendant", `inbox-person-${at}`);
    else input.removeAttribute("aria-activedescendant");
  };
  const build = (form, finish) => {
    list.id = "inbox-people";
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", _("Who may handle alarms"));
    Object.assign(input, { autocomplete: "off", placeholder: _("Type to filter"), maxLength: 150 });
    for (const [name, value] of [["role", "combobox"], ["aria-controls", list.id], ["aria-expanded", "true"], ["aria-autocomplete", "list"], ["aria-label", _("To whom")]]) {
      input.setAttribute(name, value);
    }
    input.addEventListener("input", () => {
      at = 0;
      show();
    });
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || !shown.length) return;
      event.preventDefault();
      at = (at + step + shown.length) % shown.length;
      show();
    });
    list.addEventListener("click", (event) => {
      const option = event.target.closest("[role=option]");
      if (!option) return;
      at = Number(option.dataset.at);
      finish();
    });
    form.append(input, list);
    show();
    handlers().then((people) => {
      options = people && optionsOf(people, alarms);
      show();
    });
    return input;
  };
  const read = () => {
    if (!options) return _("The console has not said who there is. Try again.");
    return shown[at] ? { to: shown[at].to, name: shown[at].name } : _("Choose somebody.");
  };
  const title = several("Assign this problem to", "Assign %(n)s problems to", alarms.length);
  return open(title, _("Assign"), build, read);
}

function personOf(one, index, isChosen) {
  const item = element("li", "", one.shown);
  item.id = `inbox-person-${index}`;
  item.dataset.at = index;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", String(isChosen));
  if (one.more) item.append(" ", element("small", "console-dim", one.more));
  return item;
}

// --- keys -------------------------------------------------------------------------

export function showKeys(keys) {
  const build = (form) => {
    const list = element("dl", "inbox-keys");
    for (const [key, words] of keys) {
      const term = element("dt");
      term.append(...key.split(" ").map((one) => element("kbd", "", one)));
      list.append(term, element("dd", "", words));
    }
    form.append(list, keysSwitch());
    return null;
  };
  return open(_("Keys"), "", build, () => null);
}
