/* The figures on top, some with their last hour. */

import { $, element, mark, say } from "./dom.js";
import { _, fill, number, percent, several } from "./text.js";
import { byMinute, draw, sparkline } from "./board_spark.js";
import { state } from "./board_state.js";

const CARDS = [
  {
    key: "live_calls", title: _("Live calls"), link: "calls/call/?live=yes",
    value: (c) => number(c.live_calls), hour: "live_calls",
  },
  {
    key: "packets", title: _("Packets / s"),
    value: (c) => number(c.packets_per_second), hour: "packets_per_second",
  },
  {
    key: "silence", title: _("Silence"),
    value: (c) => percent(c.silence_ratio), hour: "silence_ratio", say: percent, range: [0, 1],
  },
  {
    key: "alarms", title: _("Alarms"), link: "inbox/",
    value: (c) => number(c.alarms),
    note: (c) => (c.critical ? fill(_("%(n)s critical"), { n: number(c.critical) }) : ""),
    tone: (c) => (c.critical ? "bad" : ""),
    hour: "alarms", bars: true,
  },
  {
    key: "streams", title: _("Streams"), link: "calls/connection/",
    value: (c) => number(c.streams),
    note: (c) => (c.refused ? fill(_("%(n)s refused"), { n: number(c.refused) }) : ""),
  },
  {
    key: "incomplete", title: _("Incomplete, 24 h"), link: "calls/call/?complete=no&live=no",
    value: (c) => number(c.incomplete), tone: (c) => (c.incomplete ? "bad" : ""),
  },
  {
    key: "processes", title: _("Ingest"), link: "calls/ingestprocess/",
    value: (c) => number(c.processes), note: processNote,
    tone: (c) => (c.journal_error || c.processes_dead || !c.processes ? "bad" : "good"),
  },
  {
    key: "workers", title: _("Workers"),
    value: (c) => number(c.workers),
    note: (c) => (c.workers === null ? _("not known") : c.workers ? _("up") : _("none answers")),
    tone: (c) => (c.workers === null ? "" : c.workers ? "good" : "bad"),
  },
  {
    key: "redis", title: _("Redis"),
    value: () => (state.snapshot.live ? _("Up") : state.socketUp ? _("Down") : "–"),
    tone: () => (state.snapshot.live ? "good" : state.socketUp ? "bad" : ""),
  },
];

function processNote(cards) {
  if (cards.journal_error) return cards.journal_error;
  if (cards.processes_dead) return fill(_("%(n)s died"), { n: cards.processes_dead });
  return several("process", "processes", cards.processes ?? 0);
}

const built = new Map(CARDS.map((card) => [card.key, build(card)]));

function build(card) {
  const box = element("div", "console-card");
  const term = element("dt");
  if (card.link) {
    const link = element("a", "", card.title);
    link.href = card.link;
    term.append(link);
  } else {
    term.textContent = card.title;
  }
  const made = { box, value: element("dd", "value"), note: element("dd", "note") };
  box.append(term, made.value, made.note);
  if (card.hour) {
    made.chart = sparkline();
    const holder = element("dd", "hour");
    holder.append(made.chart);
    box.append(holder);
    box.classList.add("with-hour");
  }
  $("cards").append(box);
  return made;
}

export function showCards() {
  const cards = state.snapshot.cards;
  for (const card of CARDS) {
    const made = built.get(card.key);
    say(made.value, card.value(cards));
    say(made.note, card.note ? card.note(cards) : "");
    mark(made.box, "state", card.tone ? card.tone(cards) : "");
  }
}

export function showTrend() {
  const trend = state.trend;
  for (const card of CARDS) {
    if (!card.hour) continue;
    const chart = built.get(card.key).chart;
    const all = trend?.[card.hour] ?? [];
    draw(chart, card.bars ? byMinute(all, trend?.step ?? 10) : all, {
      name: nameOf(card.title, card.bars), say: card.say ?? number, bars: card.bars, range: card.range,
    });
    chart.parentElement.title = chart.getAttribute("aria-label");
  }
}

function nameOf(title, isByMinute) {
  const text = isByMinute
    ? _("%(title)s opened per minute, last hour: latest %(latest)s, lowest %(low)s, highest %(high)s")
    : _("%(title)s, last hour: latest %(latest)s, lowest %(low)s, highest %(high)s");
  return {
    none: fill(_("%(title)s: no history of the last hour yet"), { title }),
    some: (latest, low, high) => fill(text, { title, latest, low, high }),
  };
}
