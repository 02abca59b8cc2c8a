/* Words for people, ready for translation, and numbers as people read them.
 *
 * `_` looks a text up in Django's catalogue (/jsi18n/), which the page may have loaded;
 * without it, texts stay English.
 */

export const _ = (text) => (window.gettext ? window.gettext(text) : text);

/* fill(_("%(n)s calls"), {n: 3}): values enter as text. */
export function fill(text, values) {
  return text.replace(/%\((\w+)\)s/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

export function several(one, many, count) {
  const text = window.ngettext ? window.ngettext(one, many, count) : count === 1 ? one : many;
  return fill(text, { n: number(count) });
}

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const pad = (value) => String(value).padStart(2, "0");
  return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
}

export function age(seconds) {
  if (seconds < 0.95) return _("now");
  return seconds < 60 ? `${Math.round(seconds)} s` : clock(seconds);
}

/* 99.96 % is not the whole. */
export function percent(share) {
  if (share === null || share === undefined) return "–";
  if (share >= 1 || share <= 0) return `${Math.round(share * 100)} %`;
  return `${Math.min(share * 100, 99.9).toFixed(1)} %`;
}

// Made once: `toLocaleString` makes one for each number, and boards show hundreds.
const formats = new Map();

export function number(value, digits = 0) {
  if (value === null || value === undefined) return "–";
  if (!formats.has(digits)) formats.set(digits, new Intl.NumberFormat("en", { maximumFractionDigits: digits }));
  return formats.get(digits).format(value).replaceAll(",", "\u202f");
}
