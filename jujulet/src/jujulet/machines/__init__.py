"""Machines: making them, reaching them, and taking them down. Knows nothing of charms' lifecycles."""
