"""Text in columns, as Juju's tables are: two blanks apart, no blanks at the ends of lines, colour on request."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

_CODES = {
    'good': '\x1b[32m',
    'warning': '\x1b[33m',
    'error': '\x1b[31m',
    'info': '\x1b[96m',
    'emphasis': '\x1b[1m',
    'bold': '\x1b[1m',
}
_OFF = '\x1b[0m'

_STATUS_COLOURS = {
    **dict.fromkeys(
        (
            'active',
            'idle',
            'running',
            'started',
            'executing',
            'attached',
            'completed',
            'available',
        ),
        'good',
    ),
    **dict.fromkeys(
        (
            'allocating',
            'maintenance',
            'pending',
            'waiting',
            'unknown',
            'terminated',
            'suspended',
            'removing',
            'detached',
            'stopped',
        ),
        'warning',
    ),
    **dict.fromkeys(('blocked', 'down', 'error', 'failed', 'lost', 'provisioning error'), 'error'),
}


@dataclasses.dataclass(frozen=True)
class Cell:
    """Text with the name of a colour, which is only used when colours are wanted."""

    text: str
    colour: str = ''


def status(current: str) -> Cell:
    """A status word in the colour that says how it is."""
    return Cell(current, _STATUS_COLOURS.get(current, ''))


def render(
    header: Sequence[str],
    rows: Iterable[Sequence[str | Cell]],
    *,
    right: frozenset[int] = frozenset(),
    colour: bool = False,
) -> str:
    """One table with a line for each row, each line with its newline. Columns in *right* are aligned right.

    Cells hold what charms and users wrote: control characters in them are shown as ``?``.
    """
    body = [[_cell(c) for c in row] for row in rows]
    head = [Cell(h, 'bold' if colour else '') for h in header]
    widths = [
        max(len(row[i].text) for row in [head, *body] if i < len(row)) for i in range(len(head))
    ]
    return ''.join(_line(row, widths, right, colour) + '\n' for row in [head, *body])


def _cell(value: str | Cell) -> Cell:
    cell = value if isinstance(value, Cell) else Cell(value)
    if cell.text.isprintable():
        return cell
    text = ''.join(c if c.isprintable() else '?' for c in cell.text.replace('\n', ' '))
    return dataclasses.replace(cell, text=text)


def _line(row: Sequence[Cell], widths: Sequence[int], right: frozenset[int], colour: bool) -> str:
    last = max((i for i, cell in enumerate(row) if cell.text), default=-1)
    parts: list[str] = []
    for i, cell in enumerate(row[: last + 1]):
        space = ' ' * (widths[i] - len(cell.text))
        text = cell.text
        if colour and cell.colour and text:
            text = f'{_CODES[cell.colour]}{text}{_OFF}'
        if i in right:
            parts.append(space + text)
        else:
            parts.append(text if i == last else text + space)
    return '  '.join(parts)
