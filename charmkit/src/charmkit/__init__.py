"""Declare an OpenStack API charm on one page."""
