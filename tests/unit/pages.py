"""The documents as what they are made of: pages, prose, blocks, commands, words in backquotes."""

from __future__ import annotations

import pathlib
import re
import shlex
from collections.abc import Iterator

ROOT = pathlib.Path(__file__).parents[2]
PAGES = sorted(
    page
    for pattern in ('*.md', 'docs/**/*.md', 'charms/*/README.md', 'charmkit/*.md', '*/src/*/*.md')
    for page in ROOT.glob(pattern)
)

LINK = re.compile(r'!?\[[^\]]*\]\(([^)\s]+)\)')
_FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r'(?:^ {4}\S.*\n)+', re.MULTILINE)
INLINE = re.compile(r'`([^`\n]+)`')
HEADING = re.compile(r'^#+ (.+)$', re.MULTILINE)
TARGET = re.compile(r'^([a-z-]+):', re.MULTILINE)
_SUBSTITUTED = re.compile(r'\$\(([^()]*)\)')
ASSIGNED = re.compile(r'\w+=.*')
_OPERATORS = set(';&|()')
_OPENERS = ('sudo', 'time', '!', 'if', 'then', 'do', 'while', 'until', 'env', '$')


def prose(text: str) -> str:
    """*text* without its blocks of code."""
    return _INDENTED.sub('\n', _FENCE.sub('\n', text))


def blocks(text: str) -> list[str]:
    """The blocks of code in *text*, fenced or indented, whatever their language."""
    return [
        *(body for _, body in _FENCE.findall(text)),
        *_INDENTED.findall(_FENCE.sub('\n', text)),
    ]


def command_lines(text: str, *, surely: bool = False) -> Iterator[list[str]]:
    """Every simple command of the shell in *text*: fenced (``sh`` or no language) or indented blocks.

    *surely*: only of blocks that say they are ``sh``; others may be what a program prints.
    """
    languages = ('sh', 'bash') if surely else ('', 'sh', 'bash')
    typed = [body for language, body in _FENCE.findall(text) if language in languages]
    if not surely:
        typed += _INDENTED.findall(_FENCE.sub('\n', text))
    for block in typed:
        for line in block.replace('\\\n', ' ').splitlines():
            yield from _simple(line)


def _simple(line: str) -> Iterator[list[str]]:
    for inner in _SUBSTITUTED.findall(line):
        yield from _simple(inner)
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    try:
        words = list(lexer)
    except ValueError:  # An apostrophe: it is something printed, not something typed.
        return
    command: list[str] = []
    for word in [*words, ';']:
        if set(word) <= _OPERATORS:
            if command:
                yield command
            command = []
        elif command or not (ASSIGNED.fullmatch(word) or word in _OPENERS):
            command.append(word)
