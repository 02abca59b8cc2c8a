"""What is wrong with an installation, for machines and for the systems page.

`faults` asks one part each; `findings` says in words what that means and what to do;
`asking` lets no part hold up an answer; `views` are /healthz and /readyz.
"""

from calls.health.faults import database_fault, redis_fault
from calls.health.findings import Finding, Level

__all__ = ["Finding", "Level", "database_fault", "redis_fault"]
