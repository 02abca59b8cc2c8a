"""What may hear a call and speak into it: the interface for handlers.

A streaming profile names a handler: `echo`, `prompt`, `realtime`, or the dotted path of
a class of yours. Each call that is streamed gets an instance of its own, in a task of
its own behind a bounded queue: a handler that is slow loses audio, one that fails is
ended, and both are counted and raise an alarm; recording never waits for either.
"""

from streaming.handlers.interface import Cut, Handler, HeardAudio, Line, Saying

__all__ = ["Cut", "Handler", "HeardAudio", "Line", "Saying"]
