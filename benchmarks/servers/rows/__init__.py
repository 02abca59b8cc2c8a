"""The naive reading of this project: a plain consumer on Daphne, a row per packet."""
