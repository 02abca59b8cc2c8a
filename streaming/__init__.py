"""How audio arrives and how the live view leaves."""
