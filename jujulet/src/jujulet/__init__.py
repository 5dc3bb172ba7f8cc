"""Juju on one machine: real charms, real hooks, no controller to bootstrap."""
