"""The WebSocket classes under test, and what may differ between them.

Every test runs against uvicorn's own class too: what both do alike is what an ASGI
application may rely on, and where they differ is written down here, with the reason.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """One WebSocket class of uvicorn's, and where it has a choice."""

    name: str
    # As `uvicorn --ws` takes it.
    ws: str


SANSIO = Dialect(name="websockets-sansio", ws="websockets-sansio")
DIALECTS = {dialect.name: dialect for dialect in (SANSIO,)}
