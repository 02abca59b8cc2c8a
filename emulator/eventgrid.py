"""Event Grid: the validation handshake, and delivery of IncomingCall."""

import asyncio
import json
import logging
import uuid
from typing import Any

import aiohttp

from emulator import events
from emulator.callbacks import post_json
from emulator.calls import Call
from emulator.clock import Clock

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""Between two attempts: of wall time to validate, of emulated time to deliver."""


class EventGrid:
    """One event subscription: it delivers once its end point proved itself."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        clock: Clock,
        *,
        url: str,
        topic: str,
        wait: float,
    ) -> None:
        """Post to `url`; try the handshake for `wait` seconds of wall time."""
        self._session = session
        self._clock = clock
        self._url = url
        self._topic = topic
        self._wait = wait
        self._decided = asyncio.Event()
        self.state = "pending" if url else "off"
        if not url:
            self._decided.set()

    async def validate(self) -> None:
        """Perform the handshake, again and again until the end point is up."""
        code = str(uuid.uuid4())
        at = self._clock.now()
        event = events.subscription_validation(self._topic, code, at)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._wait
        while self.state == "pending":
            answer = await self._post(event, "SubscriptionValidation")
            if answer is not None and _validates(answer, code):
                self.state = "validated"
                logger.info("event grid: the end point is validated")
            elif loop.time() >= deadline:
                self.state = "failed"
                logger.error(
                    "event grid: no validation in %g s (last answer: %s); "
                    "incoming calls will not be announced",
                    self._wait,
                    answer[0] if answer else "none",
                )
            else:
                await asyncio.sleep(RETRY_SECONDS)
        self._decided.set()

    async def announce(self, call: Call) -> None:
        """Deliver IncomingCall, with bounded retries; the call keeps the outcome."""
        await self._decided.wait()
        call.rung = {"validation": self.state, "delivered": 0, "attempts": 0}
        if self.state != "validated":
            return
        event = self._incoming(call)
        for _ in range(max(1, call.plan.behaviour.eventgrid_copies)):
            call.rung["delivered"] += await self._delivered(call, event)

    async def _delivered(self, call: Call, event: events.Event) -> bool:
        for attempt in range(max(1, call.plan.behaviour.eventgrid_attempts)):
            if attempt:
                await self._clock.sleep(RETRY_SECONDS)
            call.rung["attempts"] += 1
            answer = await self._post(event, "Notification", attempt)
            if answer is not None and 200 <= answer[0] < 300:
                return True
        logger.warning("call %s: IncomingCall was not accepted", call.call_id)
        return False

    def _incoming(self, call: Call) -> events.Event:
        data = {
            "serverCallId": call.server_call_id,
            "callerDisplayName": call.plan.display_name,
            "incomingCallContext": call.context,
            "correlationId": call.correlation_id,
        }
        return events.incoming_call(
            topic=self._topic,
            caller=call.plan.caller,
            recipient=call.plan.recipient,
            data=data,
            at=self._clock.now(),
        )

    async def _post(
        self, event: events.Event, kind: str, delivery: int = 0
    ) -> tuple[int, Any] | None:
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "aeg-event-type": kind,
            "aeg-subscription-name": "EMULATED",
            "aeg-delivery-count": str(delivery),
            "aeg-data-version": "",
            "aeg-metadata-version": "1",
        }
        body = json.dumps([event]).encode()
        with self._clock.outside():
            return await post_json(self._session, self._url, body, headers)


def _validates(answer: tuple[int, Any], code: str) -> bool:
    status, body = answer
    given = body.get("validationResponse") if isinstance(body, dict) else None
    return status == 200 and given == code
