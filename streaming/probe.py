"""Ingest's answer to preflight: who it is, over the way on which ACS comes.

It makes no call, no row and no journal, and it is a route of its own: what ACS dials
passes nothing of this.
"""

import json
import logging
import time
from typing import Any

from channels.consumer import AsyncConsumer
from django.conf import settings

from calls.probe import PROBE_HEADER, ProbeAnswer, is_probe_proof
from streaming.recorder import Recorder, current_recorder

log = logging.getLogger(__name__)


class ProbeConsumer(AsyncConsumer):
    """One dial of preflight: proof, one text, closed with 1000."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer who shows a proof; refuse everybody else (HTTP 403)."""
        await receive()  # websocket.connect
        recorder = current_recorder()
        shown = dict(scope["headers"]).get(PROBE_HEADER.encode(), b"")
        if not is_probe_proof(shown.decode("latin-1")):
            recorder.refused["probe"] += 1
            log.warning("a probe is refused: its proof is missing, false or too old")
            await send({"type": "websocket.close"})
            return
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.send", "text": json.dumps(_answer(recorder))})
        await send({"type": "websocket.close", "code": 1000})


def _answer(recorder: Recorder) -> ProbeAnswer:
    answer: ProbeAnswer = {
        "acsstream": "ingest",
        "process": str(recorder.process_id),
        "node": settings.NODE,
        "at": time.time(),
        "media_auth": settings.MEDIA_AUTH,
    }
    if refuses := recorder.no_room():
        answer["refuses"] = refuses
    return answer
