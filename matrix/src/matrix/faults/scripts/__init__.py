"""What runs on struck machines: shell, and Python of the standard library alone."""
