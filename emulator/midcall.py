"""The REST operations in a call: on those who take part, streaming, keys, words."""

from emulator.identities import raw_id_of
from emulator.operations import established, line_of, living
from emulator.people import People
from emulator.restbodies import Reply, Request, RestError, operation_of

LONGEST_INVITATION = 180
"""Seconds that somebody may be called in, at most: the SDK says so."""


def participants(request: Request) -> Reply:
    """List everybody."""
    people = line_of(living(request)).people
    return Reply(200, {"value": people.listed()})


def participant(request: Request) -> Reply:
    """Show one participant."""
    people = line_of(living(request)).people
    if request.argument not in people.roster:
        raise RestError(404, "8522", "Participant not found.")
    return Reply(200, people.one(request.argument))


def add(request: Request) -> Reply:
    """Call somebody in."""
    call = established(request)
    raw_id = request.raw_id("participantToAdd")
    request.check_caller_id(raw_id)
    given = request.body.get("invitationTimeoutInSeconds")
    patience = call.plan.behaviour.ring_seconds if given is None else given
    if not isinstance(patience, int | float) or not 0 < patience <= LONGEST_INVITATION:
        text = "The field invitationTimeoutInSeconds is not valid."
        raise RestError(400, "InvalidRequest", text)
    people = line_of(call).people
    invitation = people.invite(raw_id, operation_of(request, call), patience)
    body = {"participant": people.one(raw_id), "invitationId": invitation}
    return Reply(202, body | request.echo())


def remove(request: Request) -> Reply:
    """Remove somebody."""
    call = established(request)
    raw_id = request.raw_id("participantToRemove")
    people = line_of(call).people
    idle = raw_id not in people.roster
    people.remove(raw_id, operation_of(request, call))
    return Reply(202, request.echo(), idle=idle)


def cancel_add(request: Request) -> Reply:
    """Take an invitation back."""
    call = established(request)
    invitation = str(request.required("invitationId"))
    done = line_of(call).people.cancel(invitation, operation_of(request, call))
    body = {"invitationId": invitation} | request.echo()
    return Reply(202, body, idle=not done)


def mute(request: Request) -> Reply:
    """Mute somebody."""
    people = line_of(established(request)).people
    raw_ids = [raw_id_of(each) for each in request.required("targetParticipants")]
    people.mute([_present(raw_id, people) for raw_id in raw_ids])
    return Reply(200, request.echo())


def hold(request: Request) -> Reply:
    """Put somebody on hold."""
    return _hold(request, on=True)


def unhold(request: Request) -> Reply:
    """Take somebody off hold."""
    return _hold(request, on=False)


def _hold(request: Request, *, on: bool) -> Reply:
    people = line_of(established(request)).people
    people.hold(_present(request.raw_id("targetParticipant"), people), on=on)
    return Reply(200)


def _present(raw_id: str | None, people: People) -> str:
    if raw_id is None or raw_id not in people.roster:
        raise RestError(400, "8523", "The participant is not in the call.")
    return raw_id


def transfer(request: Request) -> Reply:
    """Transfer the call."""
    call = established(request)
    target = request.raw_id("targetParticipant")
    request.check_caller_id(target)
    line = line_of(call)
    transferee = raw_id_of(request.body.get("transferee")) or call.plan.caller
    line.transfer(target, transferee, operation_of(request, call))
    return Reply(202, request.echo())


def start_streaming(request: Request) -> Reply:
    """Start media streaming."""
    call = established(request)
    done = line_of(call).start_media(operation_of(request, call))
    return Reply(202, idle=not done)


def stop_streaming(request: Request) -> Reply:
    """Stop media streaming."""
    call = established(request)
    done = line_of(call).stop_media(operation_of(request, call))
    return Reply(202, idle=not done)


def start_transcription(request: Request) -> Reply:
    """Start transcription."""
    call = established(request)
    locale = request.body.get("locale")
    done = line_of(call).transcription.start(operation_of(request, call), locale)
    return Reply(202, idle=not done)


def stop_transcription(request: Request) -> Reply:
    """Stop transcription."""
    call = established(request)
    line_of(call).transcription.stop(operation_of(request, call))
    return Reply(202)


def update_transcription(request: Request) -> Reply:
    """Go on in another language."""
    call = established(request)
    locale = str(request.required("locale"))
    line_of(call).transcription.update(operation_of(request, call), locale)
    return Reply(202)


def start_recognition(request: Request) -> Reply:
    """Listen to somebody's keys."""
    call = established(request)
    line = line_of(call)
    raw_id = _present(request.raw_id("targetParticipant"), line.people)
    line.recognition.start(raw_id, operation_of(request, call))
    return Reply(200)


def stop_recognition(request: Request) -> Reply:
    """Listen to somebody's keys no more."""
    call = established(request)
    line = line_of(call)
    raw_id = request.raw_id("targetParticipant")
    done = line.recognition.stop(raw_id, operation_of(request, call))
    return Reply(200, idle=not done)
