"""What the user must hear about."""

from __future__ import annotations

import re


class ProblemError(Exception):
    """One sentence: what is wrong, where, and what would be right. It holds no secret."""


def clean(text: object, most: int = 300) -> str:
    """*text* in one line that any terminal bears, of at most so many characters: it may come from anywhere."""
    if isinstance(text, str) and text.isprintable() and len(text) <= most and '  ' not in text:
        return text.strip()
    line = re.sub(
        r'\s+', ' ', ''.join(c if c.isprintable() or c.isspace() else '?' for c in str(text))
    ).strip()
    return line if len(line) <= most else f'{line[: most - 1]}…'


UNIT = re.compile(r'[a-z][a-z0-9-]{0,99}/[0-9]{1,9}')
"""A unit's name."""
