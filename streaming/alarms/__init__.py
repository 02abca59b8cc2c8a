"""Sees what is wrong with a call while it runs. No Django, no clock of its own.

Once a second `CallWatch.look` is shown a call's figures. A condition is judged by a
`Latch`: it becomes an alarm once it has lasted, and ceases to be one once it has been
away, so that a value that wanders about its threshold does not flap.
"""

from streaming.alarms.call import CallWatch
from streaming.alarms.node import NodeWatch

__all__ = ["CallWatch", "NodeWatch"]
