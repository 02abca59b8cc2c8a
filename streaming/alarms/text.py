"""Whether text comes while people talk.

ACS has been seen to stop telling what is said with its socket open and no event.
"""


class TextWatch:
    """Watches the transcription of one call. `look` once a second."""

    def __init__(self) -> None:
        # Whether the call is to be transcribed. None: nobody knows.
        self.is_wanted: bool | None = None
        # Seconds since somebody began to talk and no text came, and when that was.
        self.missing_for = 0.0
        self.missing_us = 0
        self._talked = 0.0
        self._texts_heard = 0
        self._newest_us = 0

    def learn(self, newest_us: int | None) -> None:
        """Take when the newest row of text begins; None: none is wanted.

        Another process may have the socket: its text comes by way of rows.
        """
        self.is_wanted = newest_us is not None
        if newest_us is not None and newest_us > self._newest_us:
            self._newest_us = newest_us
            self.forget()

    def look(
        self, texts_heard: int, now_us: int, passed: float, *, is_heard: bool
    ) -> None:
        """Take how often text has come so far, and whether somebody talks now."""
        if texts_heard != self._texts_heard or not self.is_wanted:
            self._texts_heard = texts_heard
            self.forget()
            return
        if is_heard and not self.missing_for:
            self.missing_us = now_us
        if is_heard or self.missing_for:
            self.missing_for += passed
            self._talked += passed * is_heard

    def missing(self, limit: float) -> float:
        """Return for how many seconds text is missing; 0 while little was said.

        Who says "yes" and waits for a minute has been understood, or not: one word
        that was not heard is no stall.
        """
        return self.missing_for if self._talked >= limit / 3 else 0.0

    def forget(self) -> None:
        """Begin anew: text has come, or none is wanted."""
        self.missing_for = self._talked = 0.0
