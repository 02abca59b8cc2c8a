"""What processes say of themselves and to each other through Redis."""
