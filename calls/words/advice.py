"""Advice that more than one code gets."""

CHECK_MEDIA_URL = (
    "Check that ACSSTREAM_MEDIA_URL is a public wss:// address with a trusted"
    " certificate, and that ingest runs: `manage.py preflight`."
)
START_AGAIN = "Start streaming again if the call goes on."
TRANSCRIBE_AGAIN = "Start transcription again if the call goes on."
TRY_AGAIN = "Try again."
LATER = "Wait a moment, then try again."
CHECK_RESOURCE = (
    "Check ACSSTREAM_ACS_ENDPOINT and ACSSTREAM_ACS_ACCESS_KEY: they must be of the"
    " resource that owns the number and gets the call."
)
CHECK_NUMBER = "Check the number, written as +, country code and the rest."
CHECK_CALLER_ID = "Check the caller id: it must be a number that the ACS resource owns."
CHECK_TARGET = "Check whom the order is for, and that they are still in the call."
CHECK_OPTIONS = "Check the options that were given."
CHECK_COGNITIVE = (
    "Check ACSSTREAM_COGNITIVE_ENDPOINT, and that ACS may use that resource:"
    " docs/transcription.md."
)
CALL_BACK = "Call again later."
ONLINE = "Ask the callee to sign in, and call again."
SUPPORT = "Try again; if it stays, ask Microsoft's support with the correlation id."
CARRIER = (
    "Call again; with direct routing, read the log of the session border controller."
)
