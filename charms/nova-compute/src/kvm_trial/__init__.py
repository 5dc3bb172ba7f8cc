"""Holds the program that tries KVM; it is installed as it is."""
