#!/usr/bin/env python
"""Django's command line: `./manage.py help` lists what it can do."""

import os
import sys


def main() -> None:
    """Run the named management command."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "acsstream.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed here. Run `make setup` first.")
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
