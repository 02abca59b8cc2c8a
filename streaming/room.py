"""What is said where there is no room for another socket."""


class NoRoomError(Exception):
    """No further socket can be taken now; says why."""
