"""A run on disk: its record, its logs, how it went, and its page."""
