"""What was said in calls, in words: how it is told while it is said, found, shown."""
