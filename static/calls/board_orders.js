/* Orders from a row, and what became of them. */

import { $, element } from "./dom.js";
import { _, fill } from "./text.js";
import { ask, give, offered } from "./orders.js";
import { orderButton } from "./board_parts.js";
import { rights, urlOf } from "./board_state.js";

const nameOf = (call) => `${call.from_name} → ${call.to_name}`;

export async function order(row, kind) {
  const call = row.item;
  const who = nameOf(call);
  const dialog = rights[kind];
  const buttons = row.querySelectorAll("button");
  let said;
  if (dialog.dialog) {
    said = await ask(dialog, who, (given) => give(call.id, kind, given));
    if (said === null) return;
  } else {
    buttons.forEach((button) => { button.disabled = true; });
    said = await give(call.id, kind);
    buttons.forEach((button) => { button.disabled = false; });
  }
  if (said.ok) toast(`${said.label}: ${said.state_label.toLowerCase()}`, who, "good");
  else toast(said.reason, who, "bad");
}

/* All orders about the row's call; those that make no sense now say why. */
export async function openMenu(row) {
  const who = nameOf(row.item);
  const found = await offered(row.item.id);
  if (!found) return toast(_("The console cannot be reached."), who, "bad");
  const menu = element("dialog", "console-menu");
  menu.setAttribute("aria-label", fill(_("Orders: %(who)s"), { who }));
  for (const command of found.commands) {
    if (!command.may || command.per_participant || !rights[command.kind]) continue;
    menu.append(menuItem(menu, row, command));
  }
  const link = element("a", "console-link", _("Participants are controlled on the call's page"));
  link.href = urlOf(row.item.id);
  menu.append(link);
  menu.addEventListener("click", (event) => event.target === menu && menu.close());
  menu.addEventListener("keydown", moveInMenu);
  menu.addEventListener("close", () => {
    menu.remove();
    if (!document.querySelector("dialog[open]")) (row.isConnected ? row.parts.menu : $("live-scroll")).focus();
  });
  document.body.append(menu);
  menu.showModal();
  const from = row.parts.menu.getBoundingClientRect();
  menu.style.left = `${Math.max(8, from.right - menu.offsetWidth)}px`;
  menu.style.top = `${Math.max(8, Math.min(from.bottom + 4, innerHeight - menu.offsetHeight - 8))}px`;
}

function menuItem(menu, row, command) {
  const button = orderButton(command.icon, command.label, command.danger ? "danger" : "");
  if (command.refusal) {
    button.setAttribute("aria-disabled", "true");
    button.append(element("small", "", command.refusal));
  }
  button.addEventListener("click", () => {
    if (command.refusal) return;
    menu.close();
    order(row, command.kind);
  });
  return button;
}

function moveInMenu(event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const items = [...event.currentTarget.querySelectorAll("button, a")];
  const at = items.indexOf(document.activeElement);
  items[(at + step + items.length) % items.length].focus();
}

export function toast(text, detail, tone) {
  const box = element("div", "console-toast");
  box.dataset.tone = tone;
  box.append(element("b", "", text), element("span", "", detail));
  $("toasts").append(box);
  setTimeout(() => box.remove(), tone === "bad" ? 9000 : 5000);
}
