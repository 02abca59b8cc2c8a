"""What a database raises that does not answer."""

from typing import Final

from django.db import DatabaseError, InterfaceError

# `InterfaceError`, of a connection that was closed from the other side, is no
# `DatabaseError`.
DATABASE_AWAY: Final = (DatabaseError, InterfaceError)
