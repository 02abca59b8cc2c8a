"""Alarms: kinds and thresholds (pure), their rows, and what a beat does about them.

Ingest sees most conditions (`streaming.alarms`) and sends drafts; what it cannot see
is raised here. Nothing imports Django before `store`.
"""
