"""The audit log: chained entries, written, verified, exported and put in words."""
