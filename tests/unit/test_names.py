"""What the documents call by name is there by that name: files, options, actions, endpoints, programs, functions."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from . import pages

OUTSIDE = {
    'ops.testing': 'of ops',
    'python-libjuju': 'a client of Juju',
    'nfs-server-proxy': 'a charm of Charmhub',
    'redis': 'an example of a name',
    'IO::Socket::UNIX': 'of Perl',
    'PERL_BADLANG=0': 'of Perl',
    '/bin/true': 'of every machine',
    'CHARMCRAFT_EXPERIMENTAL_MONOREPO=1': 'of Charmcraft',
    'github.com/juju/juju': "Juju's repository",
    'juju-x': 'an example of a plugin',
    'tests.mine.check': "a bundle's own",
    'tests/program': "a bundle's own",
    'tests/tests.yaml': "zaza's",
    '--exclude-list': 'a flag of stestr',
    'mysql.user': 'a table of MariaDB',
    'neutron-ovn-db-sync-util': "a program of neutron's",
    'projectcalico/calico': "Calico's repository",
    'etcd-server': 'a package of Debian 12',
    'rabbitmq': 'an interface of Charmed OpenStack',
    'cpu.rt_runtime_us': 'of the kernel (control groups, version 1)',
}
"""Names in backquotes that are nobody's here, each with whose they are."""

# fmt: off
BASE = frozenset((
    'apt', 'apt-cache', 'apt-get', 'cat', 'cd', 'chmod', 'cp', 'curl', 'do', 'done', 'dpkg', 'dpkg-deb', 'echo', 'else',
    'eval', 'export', 'fi', 'find', 'for', 'git', 'grep', 'head', 'kill', 'ls', 'make', 'mkdir', 'mktemp', 'mv', 'rm',
    'printf', 'sed', 'seq', 'sha256sum', 'sleep', 'ssh', 'ssh-keygen', 'tail', 'tar', 'tee', 'test', 'true', 'unset',
))
# fmt: on
"""Programs of any Debian that has git and make, words of the shell, and `ssh`, whose package the page says."""

_PLACEHOLDER = re.compile(r'<[^<>]*>|…|\*|\b[A-Z]{3,}\b|\b[A-Z]\b')
_WORD = re.compile(r'[\w.@:/+-]+', re.ASCII)


@dataclasses.dataclass(frozen=True)
class Known:
    """What there is: *text* of everything that is no document and no test, and *files*, relative to the root."""

    text: str
    files: frozenset[str]

    @functools.cached_property
    def names(self) -> str:
        """All *files*, one a line."""
        return ''.join(f'/{name}\n' for name in sorted(self.files))


@functools.cache
def known() -> Known:
    """The repository, as git lists it."""
    listed = subprocess.run(
        ['git', 'ls-files', '-z'], cwd=pages.ROOT, check=True, capture_output=True, text=True
    ).stdout.split('\0')
    files = frozenset(name for name in listed if name and (pages.ROOT / name).exists())
    folders = {str(parent) for name in files for parent in pathlib.PurePath(name).parents}
    code = [name for name in sorted(files) if _is_code(name)]
    text = '\n'.join((pages.ROOT / name).read_text(errors='replace') for name in code)
    return Known(text, files | folders)


def _is_code(name: str) -> bool:
    return not name.endswith(('.md', '.svg')) and not name.startswith('tests/unit/')


def unknown_names(text: str, known: Known) -> list[str]:
    """Words in backquotes in the prose of *text* that neither the repository nor :data:`OUTSIDE` has.

    A path on a machine is known if code writes it; `<…>`, `…`, `*` and words in capitals stand for anything.
    """
    shown = '\n'.join(pages.blocks(text))
    own = {
        path.removeprefix('charms/')
        for line in pages.command_lines(text, surely=True)
        for path in _makes(line)
        if path.startswith('charms/')
    }  # A charm that the page makes: its packages' names are not ours.
    wrong: list[str] = []
    for word in pages.INLINE.findall(pages.prose(text)):
        first, _, rest = word.replace('\\|', '|').partition(' ')
        if rest and not re.fullmatch(r'[a-z]+(-[a-z0-9]+)+', first):
            continue  # A sentence, a status, or a command of ours: those are read elsewhere.
        if any(name in first for name in own):
            continue
        if not _is_there(first, known) and first not in OUTSIDE and first not in shown:
            wrong.append(first)
    return wrong


def _is_there(word: str, known: Known) -> bool:
    name = re.sub(r'\([^()]*\)$', '', word).removeprefix('./').rstrip('/')
    if (
        name in known.files
        or name.startswith(('build/', 'charmkit/dist'))
        or not _WORD.search(_PLACEHOLDER.sub('', name))
    ):
        return True
    if re.match(r'https?://', name):
        return True
    if '=' in name and not name.startswith('-'):
        return _is_there(name.partition('=')[0], known)
    if re.fullmatch(r'[a-z_]\w*(\.[A-Za-z_]\w*)+', name) and _defined(name, known):
        return True
    if f'/{name}\n' in known.names:
        return True
    before, *rest = _PLACEHOLDER.split(name)
    folder = before.rpartition('/')[0] if rest else ''
    wanted = [name, folder] if folder else [name]
    return any(_occurs(one, text) for one in wanted for text in (known.text, known.names))


def _occurs(name: str, text: str) -> bool:
    """Whether *name*, placeholders standing for anything, is a whole word in a line of *text*."""
    parts = _PLACEHOLDER.split(name)
    middle = r"""[^\s'"`]+""".join(map(re.escape, parts))
    pattern = re.compile(rf'(?<![\w-]){middle}(?![\w-])')
    literal, at = max(parts, key=len), -1
    while (at := text.find(literal, at + 1)) >= 0:
        start, end = text.rfind('\n', 0, at) + 1, text.find('\n', at)
        if pattern.search(text, start, end if end >= 0 else len(text)):
            return True
    return False


def _defined(name: str, known: Known) -> bool:
    """Whether `a.b.c` is a function, class or constant `c` of a module `a/b.py`, or such a module."""
    *modules, last = name.split('.')
    ends = [f'/{"/".join(modules)}.py', f'/{"/".join(modules)}/__init__.py']
    if any(f'/{file}'.endswith(f'/{name.replace(".", "/")}.py') for file in known.files):
        return True
    return any(
        re.search(
            rf'^(?:async def|def|class)? ?{last}\b', (pages.ROOT / file).read_text(), re.MULTILINE
        )
        for file in known.files
        if f'/{file}'.endswith(tuple(ends))
    )


def unknown_paths(text: str, known: Known) -> list[str]:
    """Paths in the commands of *text* that are neither in the repository, nor made by the page or by ``make``."""
    tops = {name.partition('/')[0] for name in known.files if '/' in name}
    made = set(re.findall(r'^# (\S+)$', '\n'.join(pages.blocks(text)), re.MULTILINE))
    wrong: list[str] = []
    for line in pages.command_lines(text, surely=True):
        made |= _makes(line)
        for word in (w.partition('=')[2] if '=./' in w else w for w in line):
            path = word.removeprefix('./').rstrip('/')
            if path.partition('/')[0] not in tops or '/' not in path or '=' in path:
                continue
            beneath = any(f'{path}/'.startswith(f'{one}/') for one in made)
            if beneath or path in OUTSIDE:
                continue
            if not any(pathlib.PurePath(f).match(path) for f in known.files):
                wrong.append(word)
    return wrong


def _makes(line: list[str]) -> set[str]:
    if line[0] in ('cp', 'mkdir', 'mv'):
        return {line[-1].removeprefix('./')}
    return {line[line.index('>') + 1]} if '>' in line[:-1] else set()


def unknown_programs(text: str) -> list[str]:
    """Programs that *text* has one type and that a Debian with git and make, after ``make ready``, does not have."""
    packages = (pages.ROOT / 'tools/host-packages').read_text()
    environment = 'python3 -m venv .venv' in text
    wrong: list[str] = []
    for line in pages.command_lines(text, surely=True):
        program = line[0].rpartition('/')[2]
        if line[0] == 'pip' or line[:3] == ['python3', '-m', 'pip']:
            wrong.append(
                shlex.join(line)
            )  # Refused outside of an environment: externally managed.
        elif line[0].startswith('.venv/bin/'):
            if not environment and not (pages.ROOT / line[0]).exists():
                wrong.append(line[0])
        elif '/' in line[0]:
            if not line[0].startswith(('/', '../')) and not (pages.ROOT / line[0]).exists():
                wrong.append(line[0])
        elif line == ['jujulet', 'env']:
            wrong.append('jujulet env')  # It is what puts it on the PATH.
        elif program not in BASE | {'juju', 'jujulet', 'python3'} and not re.search(
            rf'^{re.escape(program)}\b', packages, re.MULTILINE
        ):
            wrong.append(program)
    return wrong


Charms = Mapping[str, Mapping[str, Any]]
"""``charmcraft.yaml`` of each application that bundles deploy, by the application's name."""


@functools.cache
def applications() -> Charms:
    """Of every bundle in the repository."""
    found: dict[str, Mapping[str, Any]] = {}
    for bundle in pages.ROOT.glob('bundles/**/*.yaml'):
        text = bundle.read_text()
        if 'applications:' not in text or 'charm:' not in text:
            continue
        for name, one in _mapping(yaml.safe_load(text), 'applications').items():
            folder = bundle.parent / str(_mapping({'': one}, '').get('charm', ''))
            if (folder / 'charmcraft.yaml').exists():
                found[name] = yaml.safe_load((folder / 'charmcraft.yaml').read_text())
    return found


def _mapping(charm: Mapping[str, Any], key: str) -> dict[str, Any]:
    found: dict[str, Any] | None = charm.get(key)
    return found or {}


def wrong_for_charms(text: str, charms: Charms) -> list[str]:
    """Options, actions, parameters and endpoints in the commands of *text* that the charm does not have."""
    charms = dict(charms)
    wrong: list[str] = []
    for line in pages.command_lines(text):
        if line[0].rpartition('/')[2] in ('juju', 'jujulet') and len(line) > 2:
            wrong += [f'{shlex.join(line)}: {one}' for one in _wrong(line[1], line[2:], charms)]
    return wrong


def _wrong(command: str, words: list[str], charms: dict[str, Mapping[str, Any]]) -> Iterator[str]:
    plain = [w for w in words if not w.startswith('-')]
    if command == 'deploy':
        folder = pages.ROOT / plain[0]
        if (folder / 'charmcraft.yaml').exists():
            charm = yaml.safe_load((folder / 'charmcraft.yaml').read_text())
            name = plain[1] if len(plain) > 1 and words[1:2] == plain[1:2] else charm['name']
            charms[name] = charm
            given = [words[at + 1] for at, w in enumerate(words[:-1]) if w == '--config']
            yield from _options(given, charm)
    elif command == 'config' and plain[0] in charms:
        yield from _options(plain[1:], charms[plain[0]])
    elif command == 'run':
        units = [w for w in plain if '/' in w and '=' not in w]
        charm = charms.get(units[0].partition('/')[0]) if units else None
        if charm is not None:
            yield from _action(plain[len(units) :], _mapping(charm, 'actions'))
    elif command in ('integrate', 'relate', 'remove-relation'):
        for name, _, endpoint in (w.partition(':') for w in plain):
            if (
                name in charms
                and not endpoint.startswith('$')
                and endpoint not in _endpoints(charms[name])
            ):
                yield f'no endpoint {endpoint}'


def _options(given: list[str], charm: Mapping[str, Any]) -> Iterator[str]:
    there = _mapping(_mapping(charm, 'config'), 'options')
    names = (w.partition('=')[0] for w in given)
    yield from (f'no option {n}' for n in names if n not in there and not n.endswith('.yaml'))


def _action(words: list[str], actions: Mapping[str, Any]) -> Iterator[str]:
    name = words[0] if words else ''
    if name not in actions:
        yield f'no action {name}'
        return
    there = _mapping(actions[name] or {}, 'params')
    given = (w.partition('=')[0] for w in words[1:] if '=' in w)
    yield from (f'no parameter {n}' for n in given if n not in there)


def _endpoints(charm: Mapping[str, Any]) -> set[str]:
    kinds = ('provides', 'requires', 'peers')
    return {name for kind in kinds for name in _mapping(charm, kind)} | {'juju-info'}


def unknown_keys(text: str, charms: Charms, known: Known) -> list[str]:
    """``key=value`` in backquotes whose key is no option, no parameter of an action, and nothing else by that name."""
    keys = {
        key
        for charm in charms.values()
        for key in [
            *_mapping(_mapping(charm, 'config'), 'options'),
            *(p for a in _mapping(charm, 'actions').values() for p in _mapping(a or {}, 'params')),
        ]
    }
    given = [
        key
        for word in pages.INLINE.findall(pages.prose(text))
        if (found := re.fullmatch(r'(?:[a-z-]+ )?((?:[a-z][a-z-]*=\S+ ?)+)', word))
        for key in re.findall(r'([a-z-]+)=', found[1])
    ]
    return [
        k
        for k in given
        if k not in keys and not re.search(rf'[\'`"]{k}[\'`"=]|^ +{k}:', known.text, re.MULTILINE)
    ]


@pytest.mark.parametrize('page', pages.PAGES, ids=lambda p: str(p.relative_to(pages.ROOT)))
def test_every_page_calls_things_by_their_names(page: pathlib.Path):
    text = page.read_text()
    assert unknown_names(text, known()) == []
    assert unknown_paths(text, known()) == []
    assert unknown_programs(text) == []
    assert wrong_for_charms(text, applications()) == []
    assert unknown_keys(text, applications(), known()) == []


SABOTAGED = """\
# A page

The logs are in `/var/log/httpd`, unlike `/etc/apache2/<here>`; `set-unit-state` and `release-grants unit=a/1`, not
`drain-backend unit=a/1`; `charmkit.service.hoped_state` beside `charms/keystone`, `frobbed=true` beside `force=true`.

| found with |
|---|
| `apt-file list barbican-common \\| grep wsgi` |

```sh
pip install jubilant
eval "$(jujulet env)"
apt-file list keystone && .venv/bin/no-such-program && tools/no-such-tool
cp -r charms/placement charms/minethis && ls charms/minethis/src charms/nothing
juju deploy ./charms/openstack-loadbalancer edge -n 2 --config vips=10.0.0.9
juju run edge/leader drain-backends
juju run keystone/0 pause because=tutorial
juju config glance store-shared=true
juju integrate keystone:public lb-public:backend
```
"""


def test_a_page_that_calls_things_otherwise_is_caught():
    assert unknown_names(SABOTAGED, known()) == [
        '/var/log/httpd',
        'set-unit-state',
        'release-grants',
        'charmkit.service.hoped_state',
        'frobbed=true',
    ]
    assert unknown_paths(SABOTAGED, known()) == ['tools/no-such-tool', 'charms/nothing']
    assert unknown_programs(SABOTAGED) == [
        'pip install jubilant',
        'jujulet env',
        'apt-file',
        '.venv/bin/no-such-program',
        'tools/no-such-tool',
    ]
    said = [one.rpartition(': ')[2] for one in wrong_for_charms(SABOTAGED, applications())]
    assert said == [
        'no option vips',
        'no action drain-backends',
        'no parameter because',
        'no option store-shared',
        'no endpoint public',
    ]
    assert unknown_keys(SABOTAGED, applications(), known()) == ['frobbed']
