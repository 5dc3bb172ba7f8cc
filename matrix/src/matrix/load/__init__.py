"""Clients that keep using the bundle while it is being broken."""
