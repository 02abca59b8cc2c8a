"""A stand-in for a speech-to-speech service that speaks the OpenAI Realtime protocol.

It hears 24 kHz PCM over a WebSocket, detects turns, and answers with tones that stand
for words: each word has a tone of its own, so that a listener can tell what was said.
What it is told (truncations, cancellations, tool outputs, audio) is kept and reported.
Like the rest of the emulator it imports nothing of the project it is used to test, and
it refuses what the real service refuses.
"""
