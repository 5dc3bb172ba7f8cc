"""Makes a release: `make release VERSION=27.02`; docs/how-to/make-a-release.md."""
