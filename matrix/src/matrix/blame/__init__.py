"""Which fault did it: suspects are ranked, then confirmed by a run without them. Pure."""
