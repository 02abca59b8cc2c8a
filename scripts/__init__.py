"""Chores of engineers; `make` calls them."""
