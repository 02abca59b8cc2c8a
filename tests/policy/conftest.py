"""Who looks at the pages."""

from tests.console.conftest import auditor, operator, root, stranger

__all__ = ["auditor", "operator", "root", "stranger"]
