"""What Juju decides, as values and functions: no file, clock, process or chance in here."""
