"""What this software calls itself in files it writes."""

SOFTWARE = "acsstream 0.1.0"
