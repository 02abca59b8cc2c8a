"""Why a browser's socket is closed, as its page is told.

Pages know these numbers (`static/calls`). But for 1000 they are private ones, from 4000
on: Daphne sends no others.
"""

from typing import Final

# The call is over, and with it what there is to tell of it.
OVER: Final = 1000
# Something on our side went wrong: dial again.
OUR_FAULT: Final = 4011
# It says nothing that is understood.
RUBBISH: Final = 4400
# Whoever opened it may not, or not any more.
FORBIDDEN: Final = 4403
UNKNOWN_CALL: Final = 4404
# The call has ended: there is nothing to hear, and nobody to speak to.
ENDED: Final = 4410
# What is done here must be on the audit log, and cannot be written there.
NOT_NOTED: Final = 4500
