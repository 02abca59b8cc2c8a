"""In what states a call can be: itself, its streaming, its transcription, its audio."""

from django.db import models


class CallState(models.TextChoices):
    """Where a call is, by ACS's events."""

    RINGING = "ringing", "Ringing"
    ANSWERING = "answering", "Answering"
    CONNECTED = "connected", "Connected"
    ENDED = "ended", "Ended"
    FAILED = "failed", "Not answered"


# ACS's last words on a call.
END_EVENTS = ("CallDisconnected", "AnswerFailed", "CreateCallFailed", "ConnectFailed")
LIVE_STATES = (CallState.RINGING, CallState.ANSWERING, CallState.CONNECTED)


class StreamingState(models.TextChoices):
    """What media streaming of a call is really doing, by evidence."""

    OFF = "off", "Off"
    REQUESTED = "requested", "Requested"
    CONNECTING = "connecting", "Connecting"
    STREAMING = "streaming", "Streaming"
    STALLED = "stalled", "Stalled"
    STOPPING = "stopping", "Stopping"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Failed"


# A stalled call's socket is open: nobody speaks to us, and all may hear us.
STREAMED_STATES = (StreamingState.STREAMING, StreamingState.STALLED)


class TranscriptionState(models.TextChoices):
    """What transcription of a call is really doing, by evidence."""

    OFF = "off", "Off"
    REQUESTED = "requested", "Requested"
    RUNNING = "running", "Running"
    STOPPING = "stopping", "Stopping"
    STOPPED = "stopped", "Stopped"
    FAILED = "failed", "Failed"


class Direction(models.TextChoices):
    """Who rang."""

    INBOUND = "inbound", "Inbound"
    OUTBOUND = "outbound", "Outbound"


class ArchiveState(models.TextChoices):
    """How far a call's audio is on its way from journals to recordings."""

    NONE = "none", "No audio"
    LIVE = "live", "Receiving"
    PENDING = "pending", "To be finished"
    FINISHED = "finished", "Finished and verified"
    FAILED = "failed", "Finishing failed"


# While a call is in these, something about its audio may still happen by itself.
UNFINISHED_ARCHIVE = (ArchiveState.LIVE, ArchiveState.PENDING)
