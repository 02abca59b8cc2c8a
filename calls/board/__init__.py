"""The wallboard: what database and ingest say of live calls, for one viewer."""
