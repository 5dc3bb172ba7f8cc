"""Programs that go into a machine as they are."""
