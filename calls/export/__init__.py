"""Audio that leaves in bulk: a zip of many files, written while it is sent.

`zip_blocks` writes any entries; `calls_zip` is the zip of chosen calls.
"""

from calls.export.zipped import ZipEntry, zip_blocks

__all__ = ["ZipEntry", "zip_blocks"]
