"""`manage.py ingest` that gives its last rows a minute: machines of tests are slow."""

import sys

import django
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    django.setup()
    from streaming import recorder

    recorder.LAST_ROWS = 60.0
    execute_from_command_line(["manage.py", "ingest", *sys.argv[1:]])
