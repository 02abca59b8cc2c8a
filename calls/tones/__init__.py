"""DTMF tones: from the socket and from callbacks, paired, masked, kept."""
