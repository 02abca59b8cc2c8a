"""Audio that leaves in bulk: a zip of many files, written while it is sent.

`zip_blocks` writes any entries; `many` is the zip of chosen calls, `audio` makes the
blocks of one recording, and `views` sends them.
"""

from calls.export.zipped import ZipEntry, zip_blocks

__all__ = ["ZipEntry", "zip_blocks"]
