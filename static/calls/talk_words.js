/* Why nobody is heard, in words. */

import { number, _, fill } from "./text.js";

const words = {
  one_way: () => _("This call does not hear us: it was not answered bidirectional."),
  not_streaming: ({ streaming }) => fill(_("The call does not hear us while its streaming is: %(state)s."), { state: streaming }),
  taken: ({ user }) => fill(_("%(who)s is speaking. One person speaks at a time."), { who: user ?? "?" }),
  not_noted: () => _("Speaking must be noted in the audit log, and that fails. Nobody can speak now."),
  may_not_interrupt: () => _("You may not stop what is being played. Untick it, and press again."),
  rate: () => _("The call's sample rate has changed. Press again."),
  no_recorder: () => _("No recorder takes what you say at the moment. Nobody heard you."),
  redis: () => _("Redis does not answer: nobody can be heard."),
  forbidden: () => _("You may no longer speak into this call."),
  ended: () => _("The call has ended."),
  lost: () => _("The connection to the console broke: you are no longer heard."),
  stopped: () => _("What you said was stopped: you are no longer heard. Press again to go on."),
  failed: () => _("What you said could not be heard any more. Press again to go on."),
  slow: () => _("The network is too slow: you are no longer heard."),
  too_long: ({ longest }) => fill(_("You were cut off after %(s)s s. Press again to go on."), { s: number(longest) }),
  unplugged: () => _("The microphone has gone: you are no longer heard."),
};

export function reason(why, about = {}) {
  return words[why]?.(about) ?? fill(_("Nobody can be heard: %(why)s"), { why });
}

/* What became of what was said. */
export function outcome({ state, seconds, reason: why }) {
  const s = seconds.toFixed(1);
  switch (state) {
    case "queued":
      return [_("Something else is being said: you are heard once it is over."), "wait"];
    case "playing":
      return [_("You are being heard."), "good"];
    case "played":
      return [fill(_("You were heard: %(s)s s."), { s }), "good"];
    case "unknown":
      return [_("It is not known whether you were heard: no recorder has told."), "bad"];
    default:
      if (!seconds) return [fill(_("You were not heard: %(why)s"), { why: why || _("no reason told") }), "bad"];
      return [fill(_("You were heard for %(s)s s, then no more: %(why)s"), { s, why: why || _("no reason told") }), "bad"];
  }
}
