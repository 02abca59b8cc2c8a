"""Journals after they were written: read, walked, copied, recovered."""
