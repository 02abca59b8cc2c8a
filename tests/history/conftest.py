"""The console's browsers, for tests of the timeline."""

from tests.console.conftest import auditor, operator, root, stranger

__all__ = ["auditor", "operator", "root", "stranger"]
