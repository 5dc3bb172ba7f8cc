"""What can be broken: each fault says how it bites, how one sees that it does, and how it heals."""
