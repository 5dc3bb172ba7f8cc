"""A run: its options, its folder, its models, its tests one after the other."""
