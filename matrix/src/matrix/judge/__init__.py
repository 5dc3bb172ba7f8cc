"""What a journal proves."""
