"""The whole system on one machine, against the emulator."""
