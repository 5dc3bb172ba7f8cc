"""Move a running cloud to the next base, application by application, so that no request is lost: `juju lifecycle`."""
