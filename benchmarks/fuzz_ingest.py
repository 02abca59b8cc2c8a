"""`manage.py ingest` that soon forgets calls without sockets, to be fuzzed.

An ingest process keeps what it knows of a call for fifteen minutes after its last
socket. Thousands of hostile calls within minutes would be taken for a leak.
"""

import sys

import django
from django.core.management import execute_from_command_line

FORGET_AFTER = 2.0

if __name__ == "__main__":
    django.setup()
    from streaming import rows

    rows.FORGET_AFTER = FORGET_AFTER
    execute_from_command_line(["manage.py", "ingest", *sys.argv[1:]])
