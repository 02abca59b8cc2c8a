"""The composition root: settings, entry points, routes. Nothing imports it."""
