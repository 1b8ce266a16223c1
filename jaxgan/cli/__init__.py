"""The commands, a subject a file: each takes its arguments and returns an exit code."""
