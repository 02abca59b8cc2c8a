"""Rows against bytes: whether the archive still is what its rows say it is.

`Verification` looks at every call: do its rows agree with each other (`rows`), is what
they name in storage and the same to the last sample (`files`), is every journal where
its row says (`journals`), and does storage hold anything that no row knows (`orphans`).
It reads and never mends.
"""

from calls.verification.archive import Scope, Verification
from calls.verification.findings import Finding, Weight

__all__ = ["Finding", "Scope", "Verification", "Weight"]
