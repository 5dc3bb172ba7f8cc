"""How many examples hypothesis tries: all of them in CI, a fifth in `make check`, which is run many times a day."""

from __future__ import annotations

import os


def examples(number: int) -> int:
    """*number* in CI, else a fifth of it, and at least 10."""
    return number if os.environ.get('CI') else max(10, number // 5)
