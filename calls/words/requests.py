"""HTTP statuses with which ACS answers our own requests."""

from calls.words.advice import CHECK_OPTIONS, LATER
from calls.words.entry import Block, Explanation, Proof, Said, status

# Recorded: 401, 404 and 429, through the SDK's exceptions. The others as HTTP has them.
REQUESTS = Block(
    "Statuses of requests",
    Said.ANSWER,
    Proof.STANDARD,
    "RFC 9110, section 15; the Python SDK's exceptions",
    {
        status(400): Explanation("ACS did not accept the order.", CHECK_OPTIONS),
        status(401): Explanation(
            "ACS does not accept our access key.",
            "Check ACSSTREAM_ACS_ACCESS_KEY and this machine's clock.",
        ),
        status(403): Explanation(
            "ACS forbids this order.", "Check the ACS resource and who owns the call."
        ),
        status(404): Explanation("ACS does not know this call, or no longer."),
        status(405): Explanation("ACS does not do this with this call."),
        status(408): Explanation("ACS waited too long for the request.", LATER),
        status(409): Explanation(
            "ACS says the call is not in a state for this order.", LATER
        ),
        status(412): Explanation("Something the order needs was not the case.", LATER),
        status(413): Explanation("ACS finds the order too large.", CHECK_OPTIONS),
        status(429): Explanation("ACS gets too many requests.", LATER),
        status(500): Explanation("ACS failed.", LATER),
        status(501): Explanation("ACS does not have this operation."),
        status(502): Explanation("A proxy before ACS failed.", LATER),
        status(503): Explanation("ACS is not available now.", LATER),
        status(504): Explanation("ACS did not answer its own proxy in time.", LATER),
    },
)
