"""What a charm is, and that it can be read at all. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from . import asking
from .asking import asks
from .view import ENTRY, METADATA, PACKAGING, PROJECT, View, items, last_name, table, text, texts

_NAME = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*')
_ADDRESS = re.compile(r'https?://[^\s]{3,300}')
_LONGEST_SUMMARY = 200
_KEY = re.compile(rb'-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{16}')
_LICENCES = ('LICENSE', 'LICENCE', 'COPYING', 'copyright', 'LICENSE.txt', 'LICENSE.md')
_MOST_LINES = 200
_SHEBANGS = ('#!/usr/bin/env python3', '#!/usr/bin/python3')


@asks(
    'readable',
    'What is read of a charm can be read: it is UTF-8, valid YAML or TOML, of a size that people write, and no link.',
    'Write the file as plain UTF-8 text, of at most 512 KiB, without links and without anchors that multiply it.',
)
def readable(view: View) -> Iterator[str]:
    """Files that cannot be read."""
    for path, reason in sorted(view.unreadable.items()):
        yield f'{path}: {reason}' if path else reason


@asks(
    'metadata',
    'A charm says what it is: a name, a summary of one line and a description.',
    'Write name, summary and description into charmcraft.yaml.',
)
def metadata(view: View) -> Iterator[str]:
    """What is not said."""
    if not {PROJECT, METADATA} & {*view.files, *view.unread}:
        yield f'there is no {PROJECT}, and no {METADATA}'
        return
    for key in ('name', 'summary', 'description'):
        if not text(view.meta, key).strip():
            yield f'no {key}'
    if (
        len(text(view.meta, 'summary')) > _LONGEST_SUMMARY
        or '\n' in text(view.meta, 'summary').strip()
    ):
        yield f'the summary is no single line of at most {_LONGEST_SUMMARY} letters'


@asks(
    'name',
    "A charm's name has small letters, digits and single dashes, begins with a letter, and has a letter in each word.",
    'Choose a name such as my-plugin; Juju and Charmhub take no other.',
)
def name(view: View) -> Iterator[str]:
    """A name that will not do."""
    if view.name and not _NAME.fullmatch(view.name):
        yield f'{view.name[:80]!r}'


@asks(
    'documentation',
    'A charm says where its documentation is.',
    'Write links: with documentation: into charmcraft.yaml.',
    level='should',
)
def documentation(view: View) -> Iterator[str]:
    """No address, or what is none."""
    links = view.table('links')
    found = [links.get('documentation'), links.get('website'), view.meta.get('docs')]
    if not any(isinstance(link, str) and _ADDRESS.fullmatch(link) for link in found):
        yield 'no address of its documentation'


@asks(
    'licence',
    'A charm says under which licence it is.',
    'Write license into pyproject.toml, or add a file LICENSE.',
    of=asking.folder,
)
def licence(view: View) -> Iterator[str]:
    """None."""
    if not (view.packaging or {}).get('license') and not {*_LICENCES} & {*view.files}:
        yield 'neither license in pyproject.toml nor a file LICENSE'


@asks(
    'entry',
    'A charm is a program of ops: src/charm.py, with one charm in it.',
    'Write the charm as one class in src/charm.py; charmkit new makes one.',
)
def entry(view: View) -> Iterator[str]:
    """No such program, or more than one."""
    if ENTRY not in view.sources:
        yield (
            f'there is no {ENTRY}'
            if ENTRY not in view.unread
            else f'{ENTRY}: {view.unread[ENTRY]}'
        )
    elif len(view.classes) > 1:
        yield f'{len(view.classes)} charms: {", ".join(name for name, _ in view.classes)}'


@asks(
    'charmkit',
    'A charm of the family is declared with charmkit: what charms share is there once.',
    "Make its class a subclass of charmkit's ApiCharm, AgentCharm or Charm: docs/how-to/bring-your-own-charm.md.",
)
def charmkit(view: View) -> Iterator[str]:
    """It is not."""
    if not view.kind and not isinstance(
        view.sources.get(ENTRY), str
    ):  # What cannot be read is found.
        yield f"no class of {ENTRY} is a charm of charmkit's"


@asks(
    'python-3',
    'All code is Python 3, begins as such, and asks for Python 3.11 or a later one.',
    "Begin programs with #!/usr/bin/env python3, write requires-python = '>=3.11', and mend what Python 3 cannot read.",
)
def python_3(view: View) -> Iterator[str]:
    """Modules that are none."""
    for path, tree in view.sources.items():
        if isinstance(tree, str):
            yield f'{path}: {tree}'
        first = view.files[path].partition(b'\n')[0].decode('utf-8', 'replace').rstrip()
        if first.startswith('#!') and first not in _SHEBANGS:
            yield f'{path} begins with {first[:60]}'
    project = view.packaging
    if project is not None and not re.search(r'>=\s*3', text(project, 'requires-python')):
        yield 'pyproject.toml does not ask for Python 3'


@asks(
    'dependencies',
    'pyproject.toml names what the charm is made of: charmkit, and for an API cryptography, for certificates.',
    'Write dependencies = ["charmkit>=…", "cryptography>=46"] into pyproject.toml.',
    of=asking.with_charmkit,
)
def dependencies(view: View) -> Iterator[str]:
    """What it does not name."""
    if view.packed or PACKAGING in view.unreadable:
        return
    named = texts((view.packaging or {}).get('dependencies'))
    wanted = ['charmkit', *(['cryptography'] if view.kind in ('api', 'website') else [])]
    for name in wanted:
        if not any(re.match(rf'{name}(?![\w.-])', each.strip()) for each in named):
            yield f'no {name}'


@asks(
    'private-key',
    'No private key is in a charm: whoever has the charm has it.',
    'Take it out, and make a new one where the charm runs.',
)
def private_key(view: View) -> Iterator[str]:
    """Files that have one."""
    for path, data in sorted(view.files.items()):
        if _KEY.search(data):
            yield path


@asks(
    'stray-files',
    "A packed charm has what runs and nothing else: no caches, no editor's or Git's files, no file of passwords.",
    'Pack it from a clean folder; leave such files to .gitignore.',
)
def stray_files(view: View) -> Iterator[str]:
    """Files of the kind."""
    for path in sorted({*view.files, *view.unread}):
        last = path.rpartition('/')[2]
        if (
            last == '.env'
            or last.endswith(('.pyc', '.swp', '.orig', '.rej', '~'))
            or last in ('id_rsa', 'id_ed25519')
        ):
            yield path


@asks(
    'tests',
    'A charm has unit tests, which run without a machine.',
    'Write tests/unit/test_charm.py with ops.testing and charmkit.testing.FakeMachine.',
    of=asking.folder,
)
def tests(view: View) -> Iterator[str]:
    """None."""
    if not any(re.fullmatch(r'tests/(.*/)?test_\w+\.py', path) for path in view.files):
        yield 'no tests/unit/test_*.py'


@asks(
    'a-page',
    'src/charm.py is a page: what charms share is in charmkit, and what is left of it in modules beside it.',
    f'Move what is no declaration into modules of its own, until src/charm.py has at most {_MOST_LINES} lines.',
    of=asking.with_charmkit,
    level='should',
)
def a_page(view: View) -> Iterator[str]:
    """More than that."""
    lines = view.files.get(ENTRY, b'').count(b'\n')
    if lines > _MOST_LINES:
        yield f'{lines} lines'


@asks(
    'idle-first',
    'Hooks that ask for nothing end before ops is loaded: src/charm.py begins with charmkit.idle.',
    'Write "from charmkit import idle" and "idle.exit_if_idle()" before "import ops".',
    of=asking.with_charmkit,
)
def idle_first(view: View) -> Iterator[str]:
    """It does not, or too late."""
    tree = view.sources.get(ENTRY)
    if not isinstance(tree, ast.Module):
        return
    for node in tree.body:
        value = node.value if isinstance(node, ast.Expr) else None
        if isinstance(value, ast.Call) and last_name(value.func) == 'exit_if_idle':
            return
        if isinstance(node, ast.Import) and any(a.name in ('ops', 'charmkit') for a in node.names):
            break
    yield 'idle.exit_if_idle() is not called before ops is imported'


@asks(
    'two-bases',
    'A charm runs on two bases at least, so that a cloud can move from one to the next while it serves; a subordinate '
    'may be for one release alone.',
    'Name the bases with the release of each in lifecycle.yaml (charmkit generate writes it), and test on both.',
)
def two_bases(view: View) -> Iterator[str]:
    """Fewer."""
    bases = set(table(view.lifecycle or {}, 'releases'))
    for platform in view.table('platforms'):
        if '@' in platform:
            bases.add(platform.partition(':')[0])
    for run in items(view.meta.get('bases')):
        bases |= _bases(run)
    bases |= {f'ubuntu@{series}' for series in texts(view.meta.get('series'))}
    if len(bases) < (1 if view.subordinate else 2):
        yield f'{len(bases)}: {", ".join(sorted(bases)) or "none is named"}'


def _bases(run: object) -> set[str]:
    said = table({'x': run}, 'x')
    inner = [table({'x': base}, 'x') for base in items(said.get('run-on'))] or [said]
    return {
        f'{text(b, "name")}@{text(b, "channel")}'
        for b in inner
        if text(b, 'name') and text(b, 'channel')
    }


@asks(
    'juju',
    'A charm says which Juju it needs: 3 at least, for secrets.',
    'Write assumes: [juju >= 3.6] into charmcraft.yaml.',
)
def juju(view: View) -> Iterator[str]:
    """It does not."""
    said = view.meta.get('assumes')
    if not any(re.fullmatch(r'juju\s*>=\s*([3-9]|\d\d)(\.\d+)*', item) for item in texts(said)):
        yield 'assumes has no juju >= 3'


RULES = (
    readable, metadata, name, documentation, licence, entry, charmkit, python_3, dependencies,
    private_key, stray_files, tests,
    a_page, idle_first, two_bases, juju,
)  # fmt: skip
