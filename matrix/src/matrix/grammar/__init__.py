"""What a suite says: tests, rules and conditions, each with its file and line. Pure."""
