"""CHANGES.md of a release: what stood there as unreleased, and the fragments of `changes/`, by part. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping

MARK = '<!-- towncrier release notes start -->'
"""Below this line towncrier puts each new release."""

_UNRELEASED = re.compile(r'^## Unreleased.*$', re.MULTILINE)
_HEADING = re.compile(r'^### (.+)$', re.MULTILINE)
_RELEASE = re.compile(r'^## ', re.MULTILINE)


def merged(changes: str, drafted: str, version: str, day: datetime.date) -> str:
    """The file with the release in it.

    Args:
        changes: CHANGES.md as it is. A section *Unreleased* becomes the release's; else that is put below the mark.
        drafted: what towncrier made of the fragments: headings of parts (`### …`) and lines; '' of none.
        version: of the release.
        day: of the release.

    Raises:
        ValueError: nothing has changed, the release is there already, or there is no place for it.
    """
    title = f'## {version} ({day.isoformat()})'
    if re.search(rf'^## {re.escape(version)} ', changes, re.MULTILINE):
        raise ValueError(f'CHANGES.md has {version} already')
    found = _UNRELEASED.search(changes)
    parts = _parts(drafted)
    if found is None:
        if MARK not in changes:
            raise ValueError(f'CHANGES.md has neither a section Unreleased nor the line {MARK}')
        if not parts:
            raise ValueError('there is nothing to release: no fragment in changes/')
        before, _, after = changes.partition(MARK)
        return f'{before}{MARK}\n\n{title}\n\n{_text(parts)}\n{after.lstrip()}'
    rest = _RELEASE.search(changes, found.end())
    end = rest.start() if rest else len(changes)
    body = changes[found.end() : end]
    both = _parts(body)
    for part, lines in parts.items():
        both[part] = f'{both[part]}\n{lines}' if part in both else lines
    before = changes[: found.start()].rstrip()
    mark = '' if MARK in before else f'{MARK}\n\n'
    return f'{before}\n\n{mark}{title}\n\n{_text(both)}\n{changes[end:]}'.rstrip() + '\n'


def of_release(changes: str, version: str) -> str:
    """The notes of one release alone; '' where there is none."""
    found = re.search(rf'^## {re.escape(version)} .*$', changes, re.MULTILINE)
    if found is None:
        return ''
    rest = _RELEASE.search(changes, found.end())
    return changes[found.start() : rest.start() if rest else len(changes)].strip() + '\n'


def _parts(text: str) -> dict[str, str]:
    """The lines below each heading of a part, in order."""
    pieces = _HEADING.split(text)
    found: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        lines = body.strip('\n')
        if lines.strip():
            found[name.strip()] = f'{found[name]}\n{lines}' if name in found else lines
    return found


def _text(parts: Mapping[str, str]) -> str:
    return '\n'.join(f'### {name}\n\n{lines}\n' for name, lines in parts.items())
