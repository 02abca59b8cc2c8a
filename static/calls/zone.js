/* The time zone in which this page shows times, and the cookie that says which.
 *
 * `zone` is what the server made the page with; scripts that show times of their own
 * use it: `time(epochSeconds)`.
 */

const told = document.querySelector("meta[name=zone]");
export const zone = told?.content || "UTC";

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, ...CLOCK });

/* A time of day to the second, of seconds since 1970 UTC. */
export const time = (seconds) => clock.format(new Date(seconds * 1000));

const YEAR = 31_536_000;
const own = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
const kept = () => document.cookie.split("; ").find((one) => one.startsWith("zone="))?.slice(5) ?? "";

export function choose(choice) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `zone=${choice}:${own}; path=/; max-age=${YEAR}; SameSite=Lax${secure}`;
}

/* Tell the server this browser's zone. A page made before it knew is loaded again, once:
 * only when the cookie was kept, only what can be asked for again, and never a login
 * form, which shows no times and may have a name typed in it. */
export function tell() {
  const before = kept();
  const choice = before.split(":")[0] || "browser";
  if (before === `${choice}:${own}`) return;
  choose(choice);
  const isTold = kept() === `${choice}:${own}`;
  if (isTold && choice === "browser" && zone !== own && told?.dataset.again) location.reload();
}
