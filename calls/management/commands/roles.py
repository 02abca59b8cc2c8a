"""Prints which role may do what."""

from typing import Any

from django.core.management.base import BaseCommand

from calls.groups import rights_markdown


class Command(BaseCommand):
    help = (
        "Prints the table of roles and rights, as Markdown: what the six groups are"
        " made with. Staff may have changed the groups since."
    )
    requires_system_checks = []

    def handle(self, *_: Any, **__: Any) -> None:
        self.stdout.write(rights_markdown())
