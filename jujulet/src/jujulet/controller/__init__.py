"""The daemon: holds the models, and carries out what the core decides."""
