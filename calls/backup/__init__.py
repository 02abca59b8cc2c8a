"""A copy of an installation, taken while calls run, and the way back.

`making.backup_make` writes a folder, `restoring.backup_restore` fills an empty
installation from one. docs/backup.md says what is in it, and why in that order.
"""
