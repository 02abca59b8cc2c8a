"""The archive: the list of calls with its filters, columns and saved views."""
