"""Test a bundle while breaking it, and say what broke it."""
