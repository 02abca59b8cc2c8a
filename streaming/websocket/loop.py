"""The event loop of ingest: asyncio's, with transports written in C."""

import asyncio

import aiofastnet


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return a new event loop, for uvicorn's setting `loop`."""
    return aiofastnet.patch_loop(asyncio.new_event_loop())
