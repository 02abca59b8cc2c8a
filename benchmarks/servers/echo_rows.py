"""Rows of calls that are to be dialled, with a profile of their own.

python -m benchmarks.servers.echo_rows NAME STREAMS HANDLER
"""

import sys

import django


def main() -> int:
    """Make a profile, and the rows of the calls that use it."""
    django.setup()
    from calls import identity
    from calls.models import Call, CallState, StreamingProfile

    name, streams, handler = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    profile = StreamingProfile.objects.create(
        name=name, bidirectional=True, handler=handler, handler_options={}
    )
    connections = [f"{name}-{number:04d}" for number in range(streams)]
    Call.objects.bulk_create(
        Call(
            id=identity.call_id(connection),
            connection_id=connection,
            profile=profile,
            state=CallState.CONNECTED,
            desired_streaming=True,
        )
        for connection in connections
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
