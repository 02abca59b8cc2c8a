"""Answering rules: which one decides, what is odd about them, their words."""
