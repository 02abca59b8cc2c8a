"""Media streaming and transcription: their details and their numbers."""

from calls.words.advice import (
    CHECK_COGNITIVE,
    CHECK_MEDIA_URL,
    LATER,
    START_AGAIN,
    SUPPORT,
    TRANSCRIBE_AGAIN,
    TRY_AGAIN,
)
from calls.words.entry import Block, Explanation, Proof, Said, named, of

NO_MEDIA_URL = Explanation(
    "The call was answered without a media URL, so it cannot be streamed.",
    "Check ACSSTREAM_MEDIA_URL and answer the next call with it.",
)
NO_WEBSOCKET = Explanation(
    "Azure could not open a WebSocket to our media URL.", CHECK_MEDIA_URL
)
NO_SPEECH = Explanation("Azure could not reach its speech service.", TRY_AGAIN)

# The names are MediaStreamingStatusDetails and TranscriptionStatusDetails of
# azure-communication-callautomation 1.6.0 (_generated/models/_enums.py). What they say
# beyond their name, nobody has documented.
STREAMING_DETAILS = Block(
    "Details of media streaming",
    Said.STREAMING,
    Proof.NAMED,
    "MediaStreamingStatusDetails of the Python SDK 1.6.0",
    {
        named("subscriptionStarted"): Explanation("Streaming started."),
        named("subscriptionStopped"): Explanation("Streaming stopped."),
        named("streamConnectionUnsuccessful"): NO_WEBSOCKET,
        named("initialWebSocketConnectionFailed"): Explanation(
            "Azure's first attempt to open the media WebSocket failed.",
            CHECK_MEDIA_URL,
        ),
        named("streamConnectionInterrupted"): Explanation(
            "The media WebSocket was interrupted.",
            "Azure usually dials again. Otherwise, start streaming again.",
        ),
        named("streamConnectionReestablished"): Explanation(
            "The media WebSocket was interrupted and is open again."
        ),
        named("streamUrlMissing"): NO_MEDIA_URL,
        named("serviceShutdown"): Explanation(
            "The streaming service at Azure was shut down.", START_AGAIN
        ),
        named("serviceTimeout"): Explanation(
            "Azure's streaming service timed out.", START_AGAIN
        ),
        named("authenticationFailure"): Explanation(
            "Azure was not allowed to stream.",
            "Check the ACS access key and what ingest logged about tokens.",
        ),
        named("forbidden"): Explanation(
            "Azure was not allowed to stream.", "Check the rights of the ACS resource."
        ),
        named("badRequest"): Explanation(
            "Azure did not accept the streaming options.", "Check the call's profile."
        ),
        named("tooManyRequests"): Explanation("Azure was asked too often.", LATER),
        named("speechServicesConnectionError"): NO_SPEECH,
        named("unspecifiedError"): Explanation(
            "Streaming failed, and Azure does not say why.", START_AGAIN
        ),
    },
)
TRANSCRIPTION_DETAILS = Block(
    "Details of transcription",
    Said.TRANSCRIPTION,
    Proof.NAMED,
    "TranscriptionStatusDetails of the Python SDK 1.6.0",
    {
        named("subscriptionStarted"): Explanation("Transcription started."),
        named("subscriptionStopped"): Explanation("Transcription stopped."),
        named("transcriptionLocaleUpdated"): Explanation(
            "The language of transcription was changed."
        ),
        named("streamConnectionUnsuccessful"): Explanation(
            "Azure could not open the WebSocket of the transcription.", CHECK_MEDIA_URL
        ),
        named("streamConnectionInterrupted"): Explanation(
            "The WebSocket of the transcription was interrupted.",
            "Azure usually dials again. Otherwise, start transcription again.",
        ),
        named("streamConnectionReestablished"): Explanation(
            "The WebSocket of the transcription was interrupted and is open again."
        ),
        named("streamUrlMissing"): Explanation(
            "The call has no address to send its transcription to.",
            "Answer the next call with a profile that has transcription on.",
        ),
        named("serviceShutdown"): Explanation(
            "The transcription service at Azure was shut down.", TRANSCRIBE_AGAIN
        ),
        named("serviceTimeout"): Explanation(
            "Azure's transcription service timed out.", TRANSCRIBE_AGAIN
        ),
        named("authenticationFailure"): Explanation(
            "Azure was not allowed to transcribe.", CHECK_COGNITIVE
        ),
        named("forbidden"): Explanation(
            "Azure was not allowed to transcribe.", CHECK_COGNITIVE
        ),
        named("badRequest"): Explanation(
            "Azure did not accept the options of transcription.",
            "Check the language and the options of the call's profile.",
        ),
        named("tooManyRequests"): Explanation(
            "The Cognitive Services resource was asked too often.", LATER
        ),
        named("speechServicesConnectionError"): NO_SPEECH,
        named("unspecifiedError"): Explanation(
            "Transcription failed, and Azure does not say why.", TRANSCRIBE_AGAIN
        ),
    },
)
# MediaStreamingStatus and TranscriptionStatus of the same module: shown where an event
# says how it stands and no detail.
STATUSES = Block(
    "How media streaming and transcription stand",
    Said.EVENT,
    Proof.NAMED,
    "MediaStreamingStatus and TranscriptionStatus of the Python SDK 1.6.0",
    {
        named("mediaStreamingStarted"): Explanation("Streaming started."),
        named("mediaStreamingStopped"): Explanation("Streaming stopped."),
        named("mediaStreamingFailed"): Explanation("Streaming failed.", START_AGAIN),
        named("transcriptionStarted"): Explanation("Transcription started."),
        named("transcriptionStopped"): Explanation("Transcription stopped."),
        named("transcriptionResumed"): Explanation("Transcription goes on."),
        named("transcriptionUpdated"): Explanation("Transcription was changed."),
        named("transcriptionFailed"): Explanation(
            "Transcription failed.", TRANSCRIBE_AGAIN
        ),
    },
)
# 400/8581 "Transport url is not valid or web socket server is not operational": seen
# in dotnet-quickstarts #60 and in Q&A. 500/8603 "not able to establish websocket
# connection": a unit test of the Java SDK, made from a real event.
STREAMING_NUMBERS = Block(
    "Media streaming",
    Said.ANYWHERE,
    Proof.REPORTED,
    "Azure-Samples issues, Q&A, a unit test of the Java SDK; Microsoft's list of"
    " subcodes has the names",
    {
        of(None, 8581): Explanation(
            "Azure could not reach our media URL: certificate, port or path.",
            CHECK_MEDIA_URL,
        ),
        of(None, 8603): NO_WEBSOCKET,
        of(None, 8604): Explanation("Streaming was cancelled.", START_AGAIN),
    },
)
# The table "Event codes" of the real-time-transcription how-to of Microsoft.
TRANSCRIPTION_NUMBERS = Block(
    "Transcription",
    Said.TRANSCRIPTION,
    Proof.DOCUMENTED,
    "MicrosoftDocs/azure-docs, how-tos/call-automation/real-time-transcription",
    {
        of(None, 8581): Explanation(
            "Azure could not reach our address for transcriptions.", CHECK_MEDIA_URL
        ),
        of(None, 8578): Explanation(
            "Azure could not open the WebSocket of the transcription.", CHECK_MEDIA_URL
        ),
        of(None, 8579): Explanation("Transcription was cancelled.", TRANSCRIBE_AGAIN),
        of(None, 8580): Explanation(
            "The transcription service at Azure was shut down.", TRANSCRIBE_AGAIN
        ),
        of(None, 9999): Explanation(
            "Transcription failed, and Azure does not say why.", SUPPORT
        ),
        of(405, 8520): Explanation(
            "This call cannot be transcribed.", "Nothing helps for this kind of call."
        ),
        of(405, 8522): Explanation(
            "The call came about without an address for transcriptions, or without a"
            " Cognitive Services resource.",
            "Set ACSSTREAM_COGNITIVE_ENDPOINT, and answer the next call with a profile"
            " that has transcription on.",
        ),
        of(400, 8501): Explanation(
            "The call was not established when the order came.",
            "Try again once the call is connected.",
        ),
        of(400, 8523): Explanation(
            "The language of transcription is not one that Azure knows.",
            "Write it as in en-US, and check that Azure's speech service has it.",
        ),
        of(400, 8528): Explanation("The call had already ended."),
        of(400, 8605): Explanation(
            "Azure does not take the speech model that was named.",
            "Leave the speech model out, or name one that Azure's speech service has.",
        ),
        of(401, 8565): Explanation(
            "The Cognitive Services resource does not let ACS in.", CHECK_COGNITIVE
        ),
        of(403, 8565): Explanation(
            "The Cognitive Services resource forbids ACS to transcribe.",
            CHECK_COGNITIVE,
        ),
        of(429, 8565): Explanation(
            "The Cognitive Services resource was asked too often.",
            "Wait a moment, then try again; if it stays, raise its quota.",
        ),
        of(400, 8565): Explanation(
            "The Cognitive Services resource did not take the request.", CHECK_COGNITIVE
        ),
    },
)
