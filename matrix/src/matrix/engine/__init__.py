"""How a test goes on: rules, their states, and the one place that waits for them."""
