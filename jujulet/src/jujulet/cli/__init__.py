"""EDGE: the `juju` command. Flags, files and output; what may be decided without them is decided in ``core``."""
