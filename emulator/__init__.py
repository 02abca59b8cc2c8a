"""A stand-in for Azure Communication Services Call Automation.

It rings, answers REST calls, posts callbacks and streams call audio over WebSocket as
the real service does, on one machine and without an Azure account. It imports nothing
of the project it is used to test: it writes its own JSON, so that one misreading of the
wire cannot hide in both ends.
"""
