/* Runs one press of a browser without a browser, for `test_browser_press.py`.
 *
 * Standard input is a list of steps: a number is a frame with that peak, which holds its
 * own count; "open", "ending", "said" and "stuck" are what happens in between. Standard
 * output is what went to the server: counts, and "press", "release", "slow".
 */

import { readFileSync } from "node:fs";
import { Press } from "../../static/calls/talk_press.js";

const sent = [];
let isStuck = false;
const link = {
  say: ({ type }) => sent.push(type),
  give: (message) => {
    if (!isStuck) sent.push(new Int16Array(message.slice(8).buffer)[0]);
    return !isStuck;
  },
};
const press = new Press(link, { number: 1, rate: 16_000, interrupts: false }, () => sent.push("slow"));
let count = 0;
for (const step of JSON.parse(readFileSync(0, "utf8"))) {
  if (typeof step === "number") press.frame(new Int16Array(320).fill(count++), step);
  else if (step === "stuck") isStuck = true;
  else press[step]();
}
process.stdout.write(JSON.stringify(sent));
process.exit();
