"""Programs that measure and print a table; never tests."""
