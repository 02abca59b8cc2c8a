"""Listening to live calls: the tap in ingest, the line to one browser, its socket."""
