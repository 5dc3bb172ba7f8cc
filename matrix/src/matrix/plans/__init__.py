"""What is broken, where and when: all of it data."""
