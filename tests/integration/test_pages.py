"""Pages that can be followed without containers are followed, command by command, on machines that are processes."""

from __future__ import annotations

import ast
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[2]
pytestmark = pytest.mark.integration

_BLOCK = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_TAKES_A_TERMINAL = re.compile('--watch|juju debug-(?:hooks|code)')
_FILE = re.compile(r'^# ([\w./-]+)$', re.MULTILINE)


def part(page: str, start: str = '', end: str = '') -> str:
    """*page* (below ``docs/``) from the heading *start* up to the text *end*. A heading that is gone is an error."""
    text = (ROOT / 'docs' / page).read_text()
    text = text[text.index(start) :]
    return text[: text.index(end)] if end else text


def script(text: str, folder: pathlib.Path) -> str:
    """The commands of *text*, one after the other, with */tmp* in *folder*; those that take up a terminal left out."""
    typed = '\n'.join(body for language, body in _BLOCK.findall(text) if language == 'sh')
    lines = (line for line in typed.splitlines() if not _TAKES_A_TERMINAL.search(line))
    return '\n'.join(lines).replace('/tmp/', f'{folder}/')


def files(text: str, folder: pathlib.Path) -> None:
    """Write the files that *text* shows: blocks with a comment that is their path."""
    for _, body in _BLOCK.findall(text):
        found = _FILE.search(body)
        if found and body.startswith(('#!', found[0])):
            path = folder / found[1]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(body)
            path.chmod(0o755 if body.startswith('#!') else 0o644)


@pytest.fixture
def home(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A jujulet of the test's own, stopped at the end."""
    yield tmp_path
    subprocess.run(
        [sys.executable, '-m', 'jujulet.cli.main', 'controller', 'stop'],
        env={**os.environ, 'JUJULET_DATA': str(tmp_path / 'data')},
        check=True,
        timeout=60,
    )


def follow(commands: str, home: pathlib.Path, cwd: pathlib.Path) -> str:
    """What *commands* print, run by one shell that stops at the first that fails."""
    (home / 'data').mkdir(exist_ok=True)
    found = subprocess.run(
        ['bash', '-e', '-o', 'pipefail', '-c', commands],
        cwd=cwd,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith('JUJU')},
            'JUJULET_DATA': str(home / 'data'),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
    )
    assert found.returncode == 0, f'{commands}\n\n{found.stdout}'
    return found.stdout


OURS = 'eval "$(.venv/bin/jujulet env)"\n'


def test_how_to_read_a_failing_hook(home: pathlib.Path):
    text = part('how-to/read-a-failing-hook.md', end='## In a unit of the charms here')
    said = follow(OURS + script(text, home), home, ROOT)
    assert 'WARNING unit.fails/0.config-changed no such option: colour' in said
    assert 'it failed again' in said
    assert re.search(r'fails/0\*\s+active\s+\w+.*mended', said)


def test_the_tutorials_charm_is_changed_broken_and_mended(home: pathlib.Path):
    text = part('tutorial/first-hour.md', '## 5. Change a charm', 'Tired of breaking')
    said = follow(OURS + script(text, home), home, ROOT)
    assert 'hook failed: "config-changed"' in said
    assert 'config-changed something is wrong' in said


def test_how_to_work_without_root(home: pathlib.Path):
    text = part('how-to/work-without-root.md', '## Charms, as processes', '## Unit tests')
    assert re.search(r'hello/0\*\s+active\s+idle', follow(script(text, home), home, ROOT))


def test_how_to_test_your_charm(home: pathlib.Path):
    work = home / 'work'
    text = part('how-to/test-your-charm.md', end='## Run it')
    files(text, work)
    run = part('how-to/test-your-charm.md', '## Without containers', '## For itself')
    ours = script(run, home).replace(
        '.venv/bin/pytest', f'{ROOT}/.venv/bin/pytest -p no:cacheprovider'
    )
    said = follow(f'eval "$({ROOT}/.venv/bin/jujulet env)"\n{ours}', home, work)
    assert '1 passed' in said


def test_a_page_that_cannot_be_followed_is_caught(home: pathlib.Path):
    with pytest.raises(AssertionError, match='no-such-charm'):
        follow(
            OURS + script('```sh\njuju deploy /tmp/no-such-charm\njuju status\n```', home),
            home,
            ROOT,
        )
    with pytest.raises(ValueError, match='substring not found'):
        part('how-to/read-a-failing-hook.md', '## A heading that is not there')


def with_definitions(code: str, blocks: list[str]) -> str:
    """*code* in which each definition that *blocks* have by the same name is theirs."""
    for block in blocks:
        for theirs in ast.parse(block).body:
            (mine,) = [n for n in ast.parse(code).body if _names(n) & _names(theirs)]
            lines = code.splitlines()
            new = ast.get_source_segment(block, theirs) or ''
            lines[mine.lineno - 1 : mine.end_lineno] = new.splitlines()
            code = '\n'.join(lines) + '\n'
    return code


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    targets = node.targets if isinstance(node, ast.Assign) else []
    return {t.id for t in targets if isinstance(t, ast.Name)}


FOR_ITS_PAGES = (
    'tools',
    'docs',
    'LICENSES',
    *(one.name for one in ROOT.glob('[A-Z]*') if one.is_file()),
)


def test_how_to_write_a_charm_up_to_its_test(tmp_path: pathlib.Path):
    """In a copy of the repository: what the page says of the code, and the tests that it then runs."""
    for name in (*('charms', 'charmkit', 'tests', 'bundles', 'pyproject.toml'), *FOR_ITS_PAGES):
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    page = 'how-to/write-a-charm.md'
    copying = script(part(page, '## 2. Copy placement', '## 3.'), tmp_path)
    subprocess.run(['bash', '-e', '-c', copying], cwd=tmp_path, check=True)
    charm = tmp_path / 'charms/barbican/src/charm.py'
    blocks = [body for language, body in _BLOCK.findall(part(page)) if language == 'python']
    charm.write_text(with_definitions(charm.read_text(), blocks))
    generating = '-m charmkit.generate charms/barbican'
    typed = script(part(page, '## 9. Its test', '## 10.'), tmp_path)
    assert generating in typed
    assert typed.index('make pages') < typed.index('make unit')
    pytest_ = ['-m', 'pytest', '-q', 'charms/barbican']
    rules = [f'tests/unit/test_{of}.py' for of in ('charm_rules', 'charm_pages', 'formalities')]
    writing = [['-m', f'tools.{of}'] for of in ('charm_store', 'charm_pages')]  # Of `make pages`.
    for argv in (
        generating.split(),
        [*pytest_, '--snapshot-update'],
        *writing,
        [*pytest_, *rules, '-k', 'not reuse and not wheel'],
    ):
        found = subprocess.run(
            [sys.executable, *argv], cwd=tmp_path, capture_output=True, text=True, timeout=300
        )
        assert found.returncode == 0, found.stdout[-3000:] + found.stderr[-2000:]
    golden = (tmp_path / 'charms/barbican/tests/unit/__snapshots__/test_files.ambr').read_text()
    assert 'WSGIScriptAlias / /usr/bin/barbican-wsgi-api' in golden
    assert 'host_href = http://' in golden


def test_a_definition_that_the_page_does_not_have_stays():
    code = 'A = 1\n\n\ndef f():\n    return 1\n\n\nB = 2\n'
    assert with_definitions(code, ['def f():\n    return 3\n', 'A = 2\n']) == code.replace(
        'return 1', 'return 3'
    ).replace('A = 1', 'A = 2')
