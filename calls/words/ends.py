"""How calls end, and why nobody was reached: SIP's statuses and ACS's subcodes."""

from calls.words.advice import (
    CALL_BACK,
    CARRIER,
    CHECK_CALLER_ID,
    CHECK_NUMBER,
    CHECK_TARGET,
    LATER,
    ONLINE,
    SUPPORT,
    TRY_AGAIN,
)
from calls.words.entry import Block, Explanation, Proof, Said, of, status

FOLDER = (
    "MicrosoftDocs/azure-docs, resources/troubleshooting/voice-video-calling,"
    " includes/codes/"
)
NO_NETWORK = "Check the network of who dropped out."

# Recordings of the Python SDK's tests: 200/7000 "The conversation has ended." and
# "Call was ended by Azure Communication Service Call Automation API or a server bot."
CALL_ENDS = Block(
    "The end of a call, as recorded",
    Said.CALL_END,
    Proof.RECORDED,
    "Azure/azure-sdk-for-python, test recordings of Call Automation",
    {
        of(200, 0): Explanation("The call has ended."),
        of(200, 7000): Explanation("The conversation has ended."),
    },
)
# The table "Calling End call codes and subcodes". It is of the Calling SDK, whose calls
# are the same calls; that Call Automation's events carry each of them is not proved.
ENDS = Block(
    "The end of a call or of a participant",
    Said.EVENT,
    Proof.DOCUMENTED,
    FOLDER + "call-end",
    {
        of(0, 0): Explanation("The call was ended from this side."),
        of(487, 0): Explanation("The caller gave up."),
        of(603, 0): Explanation("The callee declined.", CALL_BACK),
        of(None, 4097): Explanation("The organiser ended the call for everyone."),
        of(None, 4506): Explanation("The call was not answered in time.", CALL_BACK),
        of(None, 4521): Explanation("A participant left without hanging up."),
        of(None, 5000): Explanation("The participant was removed by another."),
        of(None, 5003): Explanation("Every device of the callee declined.", CALL_BACK),
        of(None, 5300): Explanation("The participant was removed by another."),
        of(None, 5317): Explanation(
            "The participant was removed: their role was changed."
        ),
        of(None, 5828): Explanation(
            "The participant is not invited to this room.",
            "Add them to the room first.",
        ),
        of(None, 5829): Explanation(
            "The room is not open at this time.", "Check from when to when it is."
        ),
        of(None, 5830): Explanation("Only ACS users may join this room.", CHECK_TARGET),
        of(None, 7000): Explanation(
            "The call was ended by Call Automation or by a bot."
        ),
        of(None, 10003): Explanation("The call was taken on another device."),
        of(None, 10004): Explanation("The callee did not answer in time.", CALL_BACK),
        of(None, 10009): Explanation(
            "The callee's device is not signed in any more.", ONLINE
        ),
        of(None, 10024): Explanation("Every device of the callee declined.", CALL_BACK),
        of(None, 10037): Explanation("The callee has no device signed in.", ONLINE),
        of(None, 10057): Explanation(
            "The callee's device was lost while the call was set up.", TRY_AGAIN
        ),
        of(None, 10076): Explanation("The callee is not online.", ONLINE),
        of(None, 10077): Explanation("The callee is not online.", ONLINE),
        of(None, 10078): Explanation("The callee's device cannot be reached.", ONLINE),
        of(None, 301004): Explanation(
            "A participant's audio never got through to Azure.", NO_NETWORK
        ),
        of(None, 301005): Explanation(
            "A participant's audio was lost on its way to Azure.", NO_NETWORK
        ),
    },
)
# The page on PSTN. Subcodes 560xxx (we called) and 540xxx (we were called) end in the
# SIP status that the carrier or session border controller gave.
TELEPHONE = Block(
    "Telephone calls",
    Said.EVENT,
    Proof.DOCUMENTED,
    FOLDER + "pstn",
    {
        of(None, 560000): Explanation("The other side of the telephone call hung up."),
        of(None, 540000): Explanation("The other side of the telephone call hung up."),
        of(None, 510403): Explanation(
            "The telephone call was blocked: the caller id is missing or not allowed.",
            CHECK_CALLER_ID,
        ),
        of(None, 511532): Explanation(
            "No trunk of direct routing is set up for this number.",
            "Check direct routing in the Azure portal.",
        ),
        of(None, 560403): Explanation("The carrier forbade the call.", CHECK_NUMBER),
        of(None, 560404): Explanation(
            "The number is not in use, or not allowed.", CHECK_NUMBER
        ),
        of(None, 511404): Explanation(
            "The number or the ACS resource was not found.", CHECK_CALLER_ID
        ),
        of(None, 560408): Explanation("The callee's side did not respond.", CARRIER),
        of(None, 500001): Explanation("The callee's side did not respond.", CARRIER),
        of(None, 531004): Explanation(
            "No way was found for the audio of the telephone call.", CARRIER
        ),
        of(None, 560480): Explanation(
            "Nobody answered, or the callee is not available.", CALL_BACK
        ),
        of(None, 560484): Explanation(
            "The number is incomplete or not valid.", CHECK_NUMBER
        ),
        of(None, 540486): Explanation("The number was busy.", CALL_BACK),
        of(None, 560486): Explanation("The number was busy.", CALL_BACK),
        of(None, 540487): Explanation("The caller gave up."),
        of(None, 560487): Explanation("The call was given up before an answer."),
        of(None, 560500): Explanation("A telephone network failed.", CARRIER),
        of(None, 560503): Explanation("A telephone network failed.", CARRIER),
        of(None, 560603): Explanation(
            "The call was declined, by the callee or against fraud.", CALL_BACK
        ),
    },
)
# What is left when there is no subcode, or one that is not known. Microsoft lists
# these statuses in both pages with a word or two; SIP (RFC 3261, 21) says the rest.
SIP = Block(
    "Statuses in callbacks",
    Said.EVENT,
    Proof.STANDARD,
    FOLDER + "call-automation-sdk and call-end; RFC 3261, section 21",
    {
        status(400): Explanation("ACS did not accept the order.", "Check its options."),
        status(401): Explanation("ACS does not accept who asked.", "Check the key."),
        status(403): Explanation(
            "The call is forbidden.", "Check caller id, number and rights."
        ),
        status(404): Explanation(
            "There is no such number, user or call.", CHECK_TARGET
        ),
        status(405): Explanation("The order is not possible for this call."),
        status(408): Explanation("Nobody responded in time.", CALL_BACK),
        status(409): Explanation("Another order was under way.", LATER),
        status(410): Explanation("The audio found no way.", NO_NETWORK),
        status(412): Explanation("Something the order needs was not the case.", LATER),
        status(429): Explanation("ACS gets too many requests.", LATER),
        status(430): Explanation("The callee's device did not take the call.", ONLINE),
        status(480): Explanation("The callee is not available.", CALL_BACK),
        status(481): Explanation("The call was not there any more."),
        status(484): Explanation("The number is incomplete.", CHECK_NUMBER),
        status(486): Explanation("The callee is busy.", CALL_BACK),
        status(487): Explanation("The call was cancelled before it was answered."),
        status(500): Explanation("Something at Azure failed.", SUPPORT),
        status(502): Explanation("Something at Azure failed.", SUPPORT),
        status(503): Explanation("Azure is not available now.", LATER),
        status(504): Explanation("Something at Azure timed out.", SUPPORT),
        status(603): Explanation("The callee declined.", CALL_BACK),
    },
)
