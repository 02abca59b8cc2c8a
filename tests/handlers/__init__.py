"""Handlers: what hears a call and speaks into it."""
