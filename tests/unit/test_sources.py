"""Where a behaviour comes from is named so that any reader can look it up: nothing points outside what they have."""

from __future__ import annotations

import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).parents[2]

_NUMBERED = re.compile(
    r'\breference,? (?:section )?\d'  # "Source: reference 4.9"
    r'|\bsection \d[\d.]* of the reference'
    r'|\breference/[\w.-]+,? \d'  # "reference/bundle-testing, 3.4"
    r'|§ ?\d'
    r'|\b(?:shared )?design(?:\.md)?,? §',
    re.IGNORECASE,
)
_TEXT = ('.py', '.md', '.yaml', '.yml', '.toml', '.sh', '.j2', '')


def out_of_reach(text: str) -> list[str]:
    """Mentions in *text* of numbered sections of a document that is not in the repository."""
    return [found.group() for found in _NUMBERED.finditer(text)]


def _files() -> list[pathlib.Path]:
    listed = subprocess.run(
        ['git', 'ls-files', '-z'], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.split('\0')
    paths = [ROOT / name for name in listed if name]
    return [p for p in paths if p.suffix in _TEXT and p.is_file() and p != pathlib.Path(__file__)]


def test_every_source_can_be_looked_up():
    wrong = {
        str(path.relative_to(ROOT)): found
        for path in _files()
        if (found := out_of_reach(path.read_text(errors='replace')))
    }
    assert wrong == {}


def test_a_source_that_nobody_has_is_caught():
    assert out_of_reach('Source: reference 4.9 and the order in 4.1: expired') == ['reference 4']
    assert out_of_reach('The contract (reference/bundle-testing, 3.4 P2): its heal') == [
        'reference/bundle-testing, 3'
    ]
    assert out_of_reach('what section 4 of the reference says') == ['section 4 of the reference']
    assert out_of_reach('def next_hook(model)  # §4.1; pure') == ['§4']
    assert out_of_reach('see docs/reference/matrix.md, and the reference of haproxy 2.6') == []
