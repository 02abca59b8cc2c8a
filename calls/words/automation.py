"""Call Automation's own numbers: most come as a subcode below a status.

Microsoft explains the common ones and lists the names of the others. Those about
prompts, speech recognition and Azure's own recording, which we never ask for, are left
out: they are shown raw.
"""

from calls.words.advice import (
    CALL_BACK,
    CHECK_COGNITIVE,
    CHECK_OPTIONS,
    CHECK_RESOURCE,
    CHECK_TARGET,
    LATER,
    ONLINE,
    START_AGAIN,
    SUPPORT,
    TRY_AGAIN,
)
from calls.words.entry import Block, Explanation, Proof, Said, of

PAGE = (
    "MicrosoftDocs/azure-docs, resources/troubleshooting/voice-video-calling,"
    " includes/codes/call-automation-sdk"
)

# The table "Most common Call Automation error codes" of that page.
EXPLAINED = Block(
    "Call Automation, explained",
    Said.ANYWHERE,
    Proof.DOCUMENTED,
    PAGE,
    {
        of(404, 8522): Explanation(
            "ACS does not know this call or participant, or no longer.", CHECK_TARGET
        ),
        of(405, 8522): Explanation(
            "The call was answered without what this order needs, such as a media URL.",
            "Check ACSSTREAM_MEDIA_URL, ACSSTREAM_COGNITIVE_ENDPOINT and the profile,"
            " and answer the next call with them.",
        ),
        of(None, 8522): Explanation(
            "ACS did not find what the order is about.", CHECK_TARGET
        ),
        of(None, 8523): Explanation(
            "ACS does not accept a part of the order.", CHECK_OPTIONS
        ),
        of(None, 8501): Explanation(
            "The call was not established when the order came.",
            "Try again once the call is connected.",
        ),
        of(None, 8500): Explanation(
            "Other media work on the call is in the way of this order.",
            "Wait until it is done, then try again.",
        ),
        of(None, 8528): Explanation("The call had already ended."),
        of(None, 8519): Explanation(
            "Another order for the same call or participant was under way.", LATER
        ),
        of(None, 7507): Explanation(
            "The call belongs to another ACS resource than our access key.",
            CHECK_RESOURCE,
        ),
        of(None, 7504): Explanation(
            "Our access key lacks the rights for this order.", CHECK_RESOURCE
        ),
        of(None, 8585): Explanation(
            "The call is not in a state for this order.",
            "Try again once the call is connected, if it still is.",
        ),
        of(None, 8520): Explanation(
            "Azure does not support this operation for this call.",
            "Check the options the call was answered with.",
        ),
        of(None, 8583): Explanation(
            "Other media work on the call does not go together with this order.",
            "Wait until it is done, then try again.",
        ),
        of(None, 8567): Explanation(
            "The Cognitive Services resource is not set up for ACS.", CHECK_COGNITIVE
        ),
    },
)
# The list "Generic subcodes" of that page gives a name each and nothing else.
LISTED_RIGHTS = Block(
    "Call Automation, who may",
    Said.ANYWHERE,
    Proof.NAMED,
    PAGE,
    {
        of(None, 7501): Explanation(
            "ACS does not accept our token.", "Check ACSSTREAM_ACS_ACCESS_KEY."
        ),
        of(None, 7502): Explanation(
            "The ACS resource has no access to this.", CHECK_RESOURCE
        ),
        of(None, 7505): Explanation(
            "The call belongs to another organisation.", CHECK_RESOURCE
        ),
        of(None, 7508): Explanation(
            "ACS does not support this kind of identity here.", CHECK_TARGET
        ),
        of(None, 7509): Explanation(
            "ACS does not accept the signature of our request.",
            "Check ACSSTREAM_ACS_ACCESS_KEY and this machine's clock: `manage.py"
            " preflight`.",
        ),
        of(None, 7510): Explanation(
            "ACS does not accept the managed identity.", CHECK_COGNITIVE
        ),
        of(None, 7600): Explanation(
            "The ACS resource is not enabled for this.", CHECK_RESOURCE
        ),
        of(None, 7601): Explanation(
            "ACS does not accept who is to call.", "Check the caller of the order."
        ),
        of(None, 7602): Explanation(
            "ACS does not accept who is to be called.", CHECK_TARGET
        ),
        of(None, 7603): Explanation(
            "ACS does not accept an identity in the order.", CHECK_TARGET
        ),
        of(None, 7604): Explanation(
            "This is not allowed together with Teams.",
            "Ask the Teams administrator to allow the ACS resource.",
        ),
        of(None, 7606): Explanation(
            "The ACS resource may not use Cognitive Services.", CHECK_COGNITIVE
        ),
    },
)
LISTED_CALLS = Block(
    "Call Automation, calls and people",
    Said.ANYWHERE,
    Proof.NAMED,
    PAGE,
    {
        of(None, 8502): Explanation("We are not in the call (yet).", LATER),
        of(None, 8503): Explanation("The call has no audio now.", LATER),
        of(None, 8504): Explanation("The call has no media streams.", LATER),
        of(None, 8508): Explanation("The order was cancelled.", TRY_AGAIN),
        of(None, 8516): Explanation("ACS holds calls back: too many at once.", LATER),
        of(None, 8518): Explanation("Something at ACS failed.", SUPPORT),
        of(None, 8521): Explanation(
            "The call was passed on too often.", "Check for transfers in a ring."
        ),
        of(None, 8529): Explanation(
            "The monthly limit of calls is reached.", "Have the limit raised at Azure."
        ),
        of(None, 8530): Explanation(
            "The limit of calls at a time is reached.",
            "End some, or have the limit raised at Azure.",
        ),
        of(None, 8537): Explanation("ACS lost touch with the call."),
        of(None, 8538): Explanation("The callee declined.", CALL_BACK),
        of(None, 8539): Explanation("The callee is busy.", CALL_BACK),
        of(None, 8540): Explanation("The callee is busy everywhere.", CALL_BACK),
        of(None, 8541): Explanation("The callee is not available.", CALL_BACK),
        of(None, 8542): Explanation("The call was cancelled."),
        of(None, 8543): Explanation("There is no such call."),
        of(None, 8544): Explanation("The callee cannot be reached.", CALL_BACK),
        of(None, 8546): Explanation(
            "The callee's side sent something that ACS does not accept.", SUPPORT
        ),
        of(None, 8548): Explanation(
            "The order works in group calls only, and this is none.", CHECK_TARGET
        ),
        of(None, 8549): Explanation("The transfer could not be set up.", TRY_AGAIN),
        of(None, 8550): Explanation("The transfer found no way for audio.", TRY_AGAIN),
        of(None, 8551): Explanation("This call cannot be transferred.", CHECK_TARGET),
        of(None, 8552): Explanation("The organiser cannot be removed."),
        of(None, 8555): Explanation("Another transfer is under way.", LATER),
        of(None, 8558): Explanation(
            "The participant is not in the call.", CHECK_TARGET
        ),
        of(None, 8560): Explanation(
            "The meeting is locked.", "Ask the organiser to unlock it."
        ),
        of(None, 8566): Explanation(
            "The participant may not be unmuted by others.",
            "Ask the participant to do it.",
        ),
        of(None, 8586): Explanation(
            "The incoming call was not taken notice of in time.",
            "Check that Event Grid reaches our webhooks: `manage.py preflight`.",
        ),
        of(None, 8587): Explanation(
            "The incoming call was not answered in time.",
            "Check that a worker runs: `manage.py preflight`.",
        ),
        of(None, 8606): Explanation(
            "ACS could not make an identity for the order.", CHECK_TARGET
        ),
        of(None, 8607): Explanation("Another transfer is under way.", LATER),
        of(None, 8610): Explanation("The bot that was called did not answer.", ONLINE),
    },
)
LISTED_MEDIA = Block(
    "Call Automation, media and the service",
    Said.ANYWHERE,
    Proof.NAMED,
    PAGE,
    {
        of(None, 8564): Explanation(
            "Azure could not reach its speech service.", TRY_AGAIN
        ),
        of(None, 8565): Explanation(
            "Azure could not use the Cognitive Services resource of the call.",
            CHECK_COGNITIVE,
        ),
        of(None, 8568): Explanation(
            "ACS could not sign in to the Cognitive Services resource.",
            CHECK_COGNITIVE,
        ),
        of(None, 8578): Explanation(
            "The WebSocket of the stream was not connected.", START_AGAIN
        ),
        of(None, 8579): Explanation("The stream was cancelled.", START_AGAIN),
        of(None, 8580): Explanation(
            "The streaming service at Azure was shut down.", START_AGAIN
        ),
        of(None, 8605): Explanation(
            "Azure does not take the speech model that was named.", CHECK_OPTIONS
        ),
        of(None, 9001): Explanation("A service behind ACS failed.", TRY_AGAIN),
        of(None, 9002): Explanation("A service behind ACS timed out.", TRY_AGAIN),
        of(None, 9003): Explanation("The order was cancelled at ACS.", TRY_AGAIN),
        of(None, 9998): Explanation("ACS failed.", SUPPORT),
        of(None, 9999): Explanation("ACS failed and does not say why.", SUPPORT),
    },
)
