"""Pieces of HTML. What comes from a model goes through `safe`, and through nothing else. Pure."""

from __future__ import annotations

import html
from collections.abc import Iterable

from matrix.judge import verdict
from matrix.report import words

MARKS = {verdict.Outcome.PASS: '✔', verdict.Outcome.UNKNOWN: '?', verdict.Outcome.FAIL: '✘'}


def safe(value: object) -> str:
    """Any value as text that HTML takes for text, in an element or a quoted attribute."""
    return html.escape(words.clean(str(value)))


def lines(text: str) -> str:
    """A text of many lines, each of them safe."""
    return '\n'.join(safe(line) for line in text.splitlines())


def card(title: str, inner: str, name: str = '') -> str:
    """A card; `title` and `inner` are HTML."""
    return f'<section class="card {name}"><h2>{title}</h2>{inner}</section>\n'


def pill(name: str, words_: str, title: str = '') -> str:
    """A word on a coloured ground: `passed`, `failed`, `unknown`, `skipped` or `plain`."""
    hover = f' title="{safe(title)}"' if title else ''
    return f'<span class="pill {name}"{hover}>{safe(words_)}</span>'


def outcome(one: verdict.Outcome) -> str:
    """An outcome as a pill."""
    name = words.OUTCOMES[one]
    return pill(name, f'{MARKS[one]} {name}')


def quiet(text: object) -> str:
    """Text that matters less."""
    return f'<span class="quiet">{safe(text)}</span>'


def table(heads: Iterable[tuple[str, str]], rows: Iterable[str]) -> str:
    """A table of rows as `row` makes them; a head is its text and a class (`n`: a number)."""
    cells = (f'<th scope="col" class="{name}">{safe(text)}</th>' for text, name in heads)
    return f'<table><thead><tr>{"".join(cells)}</tr></thead><tbody>{"".join(rows)}</tbody></table>'


def row(*cells: tuple[str, str]) -> str:
    """A row; a cell is its HTML and its classes."""
    return f'<tr>{"".join(f"<td class={chr(34)}{name}{chr(34)}>{text}</td>" for text, name in cells)}</tr>'


def items(each: Iterable[str]) -> str:
    """A list of texts, nothing for none."""
    found = ''.join(f'<li>{safe(one)}</li>' for one in each)
    return f'<ul>{found}</ul>' if found else ''


def command(identity: str, text: str) -> str:
    """A command with a button that copies it."""
    return f'<div class="command"><code id="{identity}">{safe(text)}</code>{_copy(identity)}</div>'


def folded(summary: str, identity: str, text: str) -> str:
    """A file that opens when it is wanted, with a button that copies it."""
    return (
        f'<details><summary>{safe(summary)}</summary><p>{_copy(identity)}</p>'
        f'<pre id="{identity}" tabindex="0">{lines(text)}</pre></details>'
    )


def _copy(identity: str) -> str:
    return f'<button class="small" type="button" data-copy="{identity}">copy</button>'
