"""What is said to ingest of keys that callbacks told, so that handlers hear them.

Published on one channel to every ingest process, packed by msgpack; whichever has the
call's socket acts. Nothing is said of calls that mask: a masked key is in no Redis.
Redis may lose a message; the tone's row is there all the same.
"""

import logging
from functools import partial
from typing import Final
from uuid import UUID

import msgspec
from django.db import transaction
from redis.exceptions import RedisError

from calls import identity
from calls.envelopes import Event
from calls.live.ingest import redis_sync
from calls.models import Call
from calls.tones.telling import told_presses
from streaming.protocol import MASK

KEYS: Final = "acsstream:keys"

log = logging.getLogger(__name__)


class KeyPressed(msgspec.Struct, frozen=True, kw_only=True):
    """A key of a participant (empty: of nobody known), by ACS's clock."""

    call: str
    raw_id: str
    key: str
    at_us: int

    def __repr__(self) -> str:
        return f"KeyPressed(call={self.call}, at_us={self.at_us})"


encode = msgspec.msgpack.Encoder().encode
key_decoder: msgspec.msgpack.Decoder[KeyPressed] = msgspec.msgpack.Decoder(KeyPressed)


def key_tell(call_id: UUID, event: Event) -> None:
    """Let the call's handler hear the key of a callback once that is committed.

    Nothing is told where nothing listens, of masked keys, or of a copy.
    """
    call = Call.objects.exclude(profile__handler="").filter(pk=call_id).first()
    if call is None or call.profile_id is None:
        return
    tone_id = identity.told_tone_id(call_id, event.id)
    for press in told_presses(call):
        if press.id == tone_id and press.key != MASK:
            pressed = KeyPressed(
                call=str(call_id),
                raw_id=press.raw_id,
                key=press.key,
                at_us=press.at_us,
            )
            transaction.on_commit(partial(_publish, pressed))


def _publish(pressed: KeyPressed) -> None:
    try:
        with redis_sync() as client:
            client.publish(KEYS, encode(pressed))
    except RedisError as exc:
        log.warning("call %s: no handler hears a key: %s", pressed.call, exc)
