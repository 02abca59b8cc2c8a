"""The transcription socket: ACS tells there in words what it hears in a call."""
