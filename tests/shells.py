"""Finds shell lines whose answer is that of another program than the one that is asked. Pure but for :func:`texts`.

Under ``pipefail`` a pipeline fails when its reader closes before the writer is done: ``apt-cache policy x | grep -q y``
said "no" whenever apt had more to say than a pipe holds. ``|| true`` takes every error for the one that was expected.
"""

from __future__ import annotations

import ast
import dataclasses
import pathlib
import re
import subprocess
from collections.abc import Iterator

_CLOSES_EARLY = re.compile(
    r"""(?<!\|)\|(?!\|)\s*(?:\w+=\S*\s+)*(?:
        grep\s+(?:-[a-zA-Z]*\s+)*-[a-zA-Z]*[qlm]      # the first match is enough
      | grep\s.*--(?:quiet|silent|max-count)
      | head\b | read\b | cmp\b
      | sed\s+(?:-\S+\s+)*['"](?:.*[;{0-9$]\s*|/[^/]*/\s*)?q\s*[;}'"]
      | awk\s+.*\bexit\b
    )""",
    re.VERBOSE,
)
_HIDES = re.compile(
    r'^(?P<command>.*?)(?:\d?>\s*\S+\s*|\d?>&\d\s*)*\|\|\s*(?:true|:)(?=\s*(?:$|[;)}\'"`]))'
)
_MAY_FAIL = re.compile(
    r"""(?:^|[\s({;&|'"=])(?:
        grep\s+-[a-zA-Z]*c\b.*                          # none is a number, too
      | pgrep\s.* | kill\s.* | rmdir\s.* | umount\s+-l\s.*
      | systemctl\s+(?:stop|kill|reset-failed|is-active|is-enabled|is-system-running)\b.*
      | sed\s.*/proc/.* | dd\s.*
      | each\s+-N\s.* | "\$tables"\s.*                   # iptables: the chain is there, or is not
      | probe\s+skew\s.*                                 # a service that does not tell its time
    )$""",
    re.VERBOSE,
)
"""Commands whose failure is an answer (none, not there, not running) or what was wanted."""
_STRICT = re.compile(r'^set -[a-zA-Z]*e[a-zA-Z]*', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Text:
    """Shell, and where it stands."""

    where: str
    line: int
    """Of the file, at which it begins."""
    body: str
    script: bool = False
    """A whole file that begins with ``#!``."""
    pipefail: bool = False
    """It is run under ``pipefail``, though it does not say so itself."""


def texts(root: pathlib.Path) -> Iterator[Text]:
    """Every piece of shell of a tree: scripts, recipes of Makefiles, fenced blocks of documents, strings of Python."""
    argv = ['git', '-C', root, 'ls-files', '--cached', '--others', '--exclude-standard']
    listed = subprocess.run(argv, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        path = root / name
        if path.is_symlink() or not path.is_file() or path.suffix in ('.svg', '.png'):
            continue
        yield from pieces(name, path.read_text(errors='replace'))


def pieces(name: str, text: str) -> Iterator[Text]:
    """The shell in one file of that *name*."""
    first = text.partition('\n')[0]
    if re.match(r'#!.*\b(?:ba|da)?sh\b', first):
        yield Text(name, 1, text, script=True)
    elif name.endswith('.sh'):
        yield Text(name, 1, text)
    elif name.endswith('Makefile'):
        kept = [
            line if line.startswith(('\t', '.SHELLFLAGS')) else '' for line in text.splitlines()
        ]
        yield Text(name, 1, '\n'.join(kept))
    elif name.endswith('.md'):
        for found in re.finditer(r'^```(?:sh|bash|console|shell)\n(.*?)^```', text, re.M | re.S):
            # Pages are followed under it (tests/integration/test_pages.py), and readers may have it set.
            line = text[: found.start(1)].count('\n') + 1
            yield Text(name, line, found[1], pipefail=True)
    elif name.endswith(('.yaml', '.yml')) and 'pipefail' in text:
        yield Text(name, 1, text)
    elif name.endswith('.py') and re.search(r'pipefail|\|\|\s*(?:true|:)', text):
        for line, said in _strings(ast.parse(text)):
            # One string may go on in another.
            yield Text(name, line, said, pipefail='pipefail' in text)


def _strings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Strings that are no docstrings; what an f-string puts in is one word."""
    parts = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    parts |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            said = (p.value if isinstance(p, ast.Constant) else 'X' for p in node.values)
            yield node.lineno, ''.join(map(str, said))
        elif (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in parts
        ):
            yield node.lineno, node.value


def wrong(text: Text) -> Iterator[str]:
    """What is wrong with a piece of shell: where, and what would be right."""
    lines = _joined(text.body)
    pipefail = text.pipefail or bool(re.search(r'-\S*o pipefail|SHELLFLAGS.*pipefail', text.body))
    for number, line in lines:
        where = f'{text.where}:{text.line + number}: {line.strip()}'
        if line.lstrip().startswith('#'):
            continue
        if pipefail and _CLOSES_EARLY.search(line):
            yield f'{where}: the reader closes early; take the answer whole first: $(…)'
        hidden = _HIDES.match(line)
        if hidden and not _MAY_FAIL.search(hidden['command'].rstrip()):
            yield f'{where}: any error is taken for the expected one; ask for that one'
    if text.script:
        yield from _loose(text)


def _loose(text: Text) -> Iterator[str]:
    commands = [
        line for line in text.body.splitlines()[1:] if line.strip() and not line.startswith('#')
    ]
    if len(commands) < 2:
        return  # Its one command's exit code is its own.
    bash = 'bash' in text.body.partition('\n')[0]
    wanted = r'^set -E?euo pipefail' if bash else r'^set -eu'
    if not re.search(wanted, text.body, re.MULTILINE):
        said = 'set -euo pipefail' if bash else 'set -eu'
        yield f'{text.where}:1: it goes on after an error, or with variables that are not set; begin with `{said}`'


def _joined(body: str) -> list[tuple[int, str]]:
    """Lines with what they are continued by, each with the number of its first."""
    found: list[tuple[int, str]] = []
    open_ = False
    for number, line in enumerate(body.splitlines()):
        if open_ or (found and line.lstrip().startswith(('|', '&&'))):
            found[-1] = (found[-1][0], found[-1][1].rstrip('\\') + ' ' + line.strip())
        else:
            found.append((number, line))
        open_ = line.endswith('\\') or bool(re.search(r'(?<!\|)\|$', line.rstrip()))
    return found
