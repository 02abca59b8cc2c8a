"""What ACS tells in words: read, kept, told and made again."""
