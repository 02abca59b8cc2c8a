"""What a packet's place on a track is, and what the audio was.

Pure code: samples, integers and numpy arrays in, figures out. No framework, no clock,
no files. `timeline` places packets, `ledger` remembers what every sample was,
`levels` and `peaks` measure and draw, `pcm` is the format they share.
"""
