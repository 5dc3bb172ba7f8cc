"""The one exception of the core, in a module of its own: the command line starts faster without the whole model."""

from __future__ import annotations


class Refused(Exception):  # noqa: N818 -- it is an answer, not a fault of ours
    """The user asked for what cannot be; the text is what they read after ``ERROR``."""

    def __init__(self, message: str, *, code: int = 1):
        super().__init__(message)
        self.code = code
        """Exit code of the command: 1 at run time, 2 for bad arguments, 0: only said, as Juju does at times."""
