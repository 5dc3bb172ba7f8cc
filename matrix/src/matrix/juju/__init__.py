"""The edge to Juju, real or local: one place that asks, everything else gets what it found."""
