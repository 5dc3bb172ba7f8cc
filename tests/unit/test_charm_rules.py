"""What holds for every API charm in charms/, by its being there. Each rule has a twin that breaks it, and is caught."""

from __future__ import annotations

import ast
import collections
import functools
import json
import pathlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import pytest
import yaml
from charmkit import generate, host, releases
from ops import testing

from . import charm_at_work as work

ROOT = pathlib.Path(__file__).parents[2] / 'charms'
API_CHARMS = work.api_charms(ROOT)
SITES = work.sites(ROOT)
ALIKE_TOP = ('type', 'base', 'platforms', 'assumes', 'extra-bindings')
ENDPOINTS = ('public-backend', 'internal-backend', 'admin-backend')
OPTIONS = (
    'debug', 'workers', 'threads', 'vip',
    'os-public-hostname', 'os-internal-hostname', 'os-admin-hostname',
)  # fmt: skip
ACTIONS = ('pause', 'resume', 'openstack-upgrade', 'db-expand')
MOST_LINES = {'placement': 60}
A_PAGE = 200
COPIED_LINES = 8

Rule = Callable[[work.Folder], Iterator[str]]


def python_3_only(folder: work.Folder) -> Iterator[str]:
    """No package of Python 2, no shebang of another Python, and code that Python 3 reads."""
    for base in work.BASES:
        packages = work.at_work(folder, base).machine.desired.packages
        yield from (f'{p} is Python 2' for p in packages if re.match(r'(lib)?python(2|-)', p))
        yield from (f'{p} is not mod_wsgi for Python 3' for p in packages if p.endswith('wsgi'))
    for path in folder.sources:
        text = path.read_text()
        first = text.partition('\n')[0]
        if first.startswith('#!') and first != '#!/usr/bin/env python3':
            yield f'{path.name} begins with {first}'
        ast.parse(text)
    if '>=3' not in (folder.path / 'pyproject.toml').read_text():
        yield 'pyproject.toml does not ask for Python 3'


def served_by_mod_wsgi(folder: work.Folder) -> Iterator[str]:
    """Each app is served by Apache, in a process group of its own, and Apache alone serves it."""
    with work.loaded(folder) as charm:
        spec = charm.spec
    if not spec.apps:
        yield 'there is no app in its spec'
    for base in work.BASES:
        apps = spec.on(releases.of_base(base)).apps
        seen = work.at_work(folder, base)
        if 'libapache2-mod-wsgi-py3' not in seen.machine.desired.packages:
            yield f'mod_wsgi is not installed on {base}'
        if seen.machine.service('apache2') != 'running':
            yield f'Apache does not run on {base}'
        for app in apps:
            alias = rf'^ *WSGIScriptAlias / {app.script} process-group={app.name}\b'
            if not re.search(alias, seen.sites, re.MULTILINE):
                yield f'{app.name} is not served by mod_wsgi on {base}'


def own_server_masked_first(folder: work.Folder) -> Iterator[str]:
    """What the packages would start by themselves is masked before they are installed."""
    seen = work.at_work(folder, work.BASES[0])
    with work.loaded(folder) as charm:
        name_of_all, masked = charm.spec.name, charm.spec.masked
    if not masked:
        yield "no server of the package's own is masked"
    steps = seen.machine.steps
    verbs = [step.split()[0] for step in steps]
    for name in masked:
        step = str(host.Step('mask', name))
        if step not in steps or steps.index(step) > verbs.index('install'):
            yield f'{name} is not masked before the packages are installed'
    if not any(name.startswith(name_of_all) for name in masked):
        yield f'the server of {name_of_all} itself is not masked: {masked}'


def memcached_is_there(folder: work.Folder) -> Iterator[str]:
    """On the unit's own machine, on loopback alone, and running: from the install hook on."""
    seen = work.at_work(folder, work.BASES[0])
    if 'memcached' not in seen.machine.desired.packages:
        yield 'memcached is not installed'
        return
    if seen.machine.service('memcached') != 'running':
        yield 'memcached does not run'
    if '-l 127.0.0.1\n' not in seen.machine.file('/etc/memcached.conf'):
        yield 'memcached does not listen on loopback alone'


def memcached_is_used(folder: work.Folder) -> Iterator[str]:
    """Tokens are kept there, encrypted; keystone keeps its own where no other user can write."""
    keystone = any(e['interface'] == 'keystone' for e in folder.meta['provides'].values())
    wanted = (
        ('[cache]', 'enabled = true', 'memcache_servers = unix:/run/keystone-cache/socket')
        if keystone
        else (
            '[keystone_authtoken]',
            'memcached_servers = 127.0.0.1:11211',
            'memcache_security_strategy = ENCRYPT',
            f'memcache_secret_key = unit-secret-of-{folder.name}/0',
        )
    )
    for base in work.BASES:
        conf = work.at_work(folder, base).conf
        sections = {s.partition(']')[0] + ']': s for s in re.split(r'^(?=\[)', conf, flags=re.M)}
        section = sections.get(wanted[0], '')
        yield from (f'no {line!r} on {base}' for line in wanted if line not in section)


def health_is_checked(folder: work.Folder) -> Iterator[str]:
    """A load balancer is told one path that answers for each app, and that path fails while it drains."""
    with work.loaded(folder) as charm:
        apps = charm.spec.apps
    seen = work.at_work(folder, work.BASES[0], balanced=True)
    (balancer,) = seen.out.get_relations('internal-backend')
    asked = json.loads(balancer.local_app_data.get('endpoints', '[]'))
    offered = [app for app in apps if app.type]
    if not offered or len(asked) != len(offered):
        yield f'{len(asked)} of {len(offered)} typed apps are offered to a load balancer'
    for endpoint in asked:
        if endpoint.get('check', {}).get('path') != '/healthcheck':
            yield f'a load balancer is not told how to check {endpoint}'
    if seen.sites.count('RewriteRule ^/healthcheck$ - [R=503,L]') != len(apps):
        yield 'a check does not fail while the unit drains'


def pause_drains(folder: work.Folder) -> Iterator[str]:
    """Pause asks the load balancer first, and serves until it is answered; resume is there."""
    if missing := {'pause', 'resume'} - set(folder.meta.get('actions', {})):
        yield f'no action {", ".join(sorted(missing))}'
        return
    seen = work.at_work(folder, work.BASES[0], balanced=True, pause=True)
    (balancer,) = seen.out.get_relations('internal-backend')
    assert isinstance(balancer, testing.Relation)
    said = json.loads(balancer.local_unit_data.get('lifecycle', '{}'))
    if said.get('state') != 'drain' or said.get('reason') != 'a rule':
        yield f'the load balancer is not asked to drain: what is published is {said}'
    if seen.machine.service('apache2') != 'running':
        yield 'it stops before it is drained'


def two_bases(folder: work.Folder) -> Iterator[str]:
    """Active on each, and goldens of its files on each."""
    with work.loaded(folder) as charm:
        paths = [*charm.spec.config]
    for base in work.BASES:
        seen = work.at_work(folder, base)
        if seen.out.unit_status.name != 'active':
            yield f'on {base}: {seen.out.unit_status}'
        golden = re.findall(rf'^# name: .*\[{base}\].*?^# ---$', folder.goldens, re.M | re.S)
        for path in paths:
            body = seen.machine.file(path).strip().splitlines()[-1]
            if not any(body in text for text in golden):
                yield f'no golden of {path} on {base}'


def endpoints_are_there(folder: work.Folder) -> Iterator[str]:
    """A load balancer can be related for each endpoint type."""
    for name in ENDPOINTS:
        given = folder.meta['provides'].get(name)
        if given != {'interface': 'openstack-api-endpoints', 'optional': True}:
            yield f'{name}: {given}'


def options_are_alike(folder: work.Folder) -> Iterator[str]:
    """The options that operators know from each other charm, in the same words."""
    yield from _alike(folder, 'option', OPTIONS, lambda f: f.meta['config']['options'])


def actions_are_alike(folder: work.Folder) -> Iterator[str]:
    """So are the actions."""
    yield from _alike(folder, 'action', ACTIONS, lambda f: f.meta.get('actions', {}))


def generated(folder: work.Folder) -> Iterator[str]:
    """What charmcraft.yaml repeats from charm to charm, and its options, are as the code declares them."""
    yield from map(str, generate.stale([folder.path]))


def packed_alike(folder: work.Folder) -> Iterator[str]:
    """Parts, platforms and bindings are the same but for the charm's own name; so is pyproject.toml."""
    yield from _alike(folder, 'key', ALIKE_TOP, lambda f: f.meta)
    yield from _alike(folder, 'part', ('charm',), lambda f: _unnamed(f, f.meta['parts']))
    yield from _alike(folder, 'file', ('pyproject.toml',), _project)


def a_charm_is_a_page(folder: work.Folder) -> Iterator[str]:
    """charm.py is short: what charms share is in charmkit."""
    lines = len((folder.path / 'src/charm.py').read_text().splitlines())
    most = MOST_LINES.get(folder.name, A_PAGE)
    if lines > most:
        yield f'charm.py has {lines} lines, more than {most}'


def nothing_is_copied(folder: work.Folder) -> Iterator[str]:
    """No eight lines of code in a row are the same as in another charm."""
    mine = _windows(folder)
    for other in (*API_CHARMS, *SITES):
        if other.name != folder.name:
            both = mine.keys() & _windows(other).keys()
            yield from (f'{mine[w]} has lines of {other.name}: {w[0]}' for w in both)


IN_CLASS = '    """Charm for the Placement API."""\n'
OTHERWISE = """
    def run(self, why, inputs):
        import dataclasses
        seen = super().run(why, inputs)
        own = seen.host
        return dataclasses.replace(seen, host=dataclasses.replace(own, {}))
"""
IN_GLANCE_TOO = re.search(
    r'^def glance_conf.*?(?=^def not_alone)',
    (ROOT / 'glance/src/image_service.py').read_text(),
    re.M | re.S,
)
assert IN_GLANCE_TOO
RULES: dict[Rule, tuple[str, str, str]] = {
    python_3_only: ('src/charm.py', "'python3-pymysql'", "'python-pymysql'"),
    served_by_mod_wsgi: (
        'src/charm.py',
        IN_CLASS,
        IN_CLASS
        + OTHERWISE.format("files=tuple(f for f in own.files if 'WSGI' not in f.content)"),
    ),
    own_server_masked_first: ('src/charm.py', "masked=('placement-api',)", 'masked=()'),
    memcached_is_there: (
        'src/charm.py',
        IN_CLASS,
        IN_CLASS + OTHERWISE.format("packages=own.packages - {'memcached'}"),
    ),
    memcached_is_used: (
        'src/charm.py',
        "        {'api': {",
        "        {'keystone_authtoken': {'memcache_security_strategy': 'None'}},\n        {'api': {",
    ),
    health_is_checked: ('src/charm.py', "type='placement', ", ''),
    pause_drains: (
        'src/charm.py',
        IN_CLASS,
        IN_CLASS
        + """
    def run(self, why, inputs):
        return super().run(charmkit.Hook('config-changed'), inputs)
""",
    ),
    two_bases: ('tests/unit/__snapshots__/test_files.ambr', '[debian@13]', '[debian@11]'),
    endpoints_are_there: ('charmcraft.yaml', '  admin-backend:', '  administrator-backend:'),
    options_are_alike: ('charmcraft.yaml', 'os-admin-hostname', 'os-administrator-hostname'),
    actions_are_alike: ('charmcraft.yaml', 'Serve on this unit again', 'Start this unit'),
    generated: ('charmcraft.yaml', 'default: 0', 'default: 1'),
    packed_alike: ('charmcraft.yaml', 'plugin: uv', 'plugin: charm'),
    a_charm_is_a_page: ('src/charm.py', 'if __name__', '\n' * 60 + 'if __name__'),
    nothing_is_copied: (
        'src/charm.py',
        'if __name__',
        f'{IN_GLANCE_TOO[0]}\n\nif __name__',
    ),
}
"""Each rule, and what breaks it in a copy of placement: a file, the text to replace, its replacement."""
OF_APIS = {own_server_masked_first, memcached_is_used, options_are_alike}
"""Those that a web site for people is no case of: it has no server of its own, checks no tokens, is in no catalogue."""


@pytest.mark.parametrize('folder', API_CHARMS, ids=lambda f: f.name)
@pytest.mark.parametrize('rule', RULES, ids=lambda r: r.__name__)
def test_every_api_charm_keeps_the_rule(rule: Rule, folder: work.Folder):
    assert [*rule(folder)] == []


@pytest.mark.parametrize('folder', SITES, ids=lambda f: f.name)
@pytest.mark.parametrize('rule', [r for r in RULES if r not in OF_APIS], ids=lambda r: r.__name__)
def test_every_site_keeps_the_rule(rule: Rule, folder: work.Folder):
    assert [*rule(folder)] == []


@pytest.mark.parametrize('rule', RULES, ids=lambda r: r.__name__)
def test_a_charm_that_breaks_the_rule_is_caught(rule: Rule, tmp_path: pathlib.Path):
    name, old, new = RULES[rule]
    copy = tmp_path / 'placement'
    shutil.copytree(ROOT / 'placement', copy)
    text = (copy / name).read_text()
    assert old in text, 'the sabotage does not fit what it is to break'
    (copy / name).write_text(text.replace(old, new, 1))
    assert [*rule(work.Folder(copy))]


def test_api_charms_are_found_and_no_others():
    found = {folder.name for folder in API_CHARMS}
    assert {'keystone', 'placement', 'glance'} <= found
    assert not found & {'mysql', 'openstack-loadbalancer'}
    assert [folder.name for folder in SITES] == ['openstack-dashboard']


def test_a_charm_is_found_by_being_there(tmp_path: pathlib.Path):
    shutil.copytree(ROOT / 'placement', tmp_path / 'another')
    assert [f.path.name for f in work.api_charms(tmp_path)] == ['another']


def _alike(
    folder: work.Folder,
    kind: str,
    names: tuple[str, ...],
    of: Callable[[work.Folder], Any],
) -> Iterator[str]:
    """What of *names* is missing in *folder*, or is not as in every other charm."""
    mine = of(folder)
    for name in names:
        if name not in mine:
            yield f'no {kind} {name}'
            continue
        others = [f.name for f in API_CHARMS if of(f).get(name) != mine[name]]
        if others:
            yield f'the {kind} {name} is not as in {", ".join(others)}'


def _project(folder: work.Folder) -> dict[str, Any]:
    return {'pyproject.toml': _unnamed(folder, (folder.path / 'pyproject.toml').read_text())}


def _unnamed(folder: work.Folder, value: Any) -> Any:
    """*value* with the charm's own name taken out."""
    return json.loads(json.dumps(value).replace(folder.name, 'NAME'))


@functools.cache
def _windows(folder: work.Folder) -> dict[tuple[str, ...], str]:
    """Every run of so many lines of code, and where it is. Imports, comments and brackets do not count."""
    found: dict[tuple[str, ...], str] = {}
    for path in folder.sources:
        lines = [line.strip() for line in path.read_text().splitlines()]
        code = [
            x for x in lines if len(x) > 3 and not x.startswith(('#', 'import ', 'from ', '"""'))
        ]
        recent: collections.deque[str] = collections.deque(maxlen=COPIED_LINES)
        for line in code:
            recent.append(line)
            if len(recent) == COPIED_LINES:
                found[tuple(recent)] = path.name
    return found


def unlimited(declared: Mapping[str, Any]) -> list[str]:
    """Numbers that an action of a charm takes as large, and as far below nothing, as the operator types them."""
    found: list[str] = []
    actions: Mapping[str, Any] = declared.get('actions') or {}
    for action, what in actions.items():
        params = cast(
            'dict[str, dict[str, Any]]', cast('dict[str, Any]', what or {}).get('params') or {}
        )
        for name, schema in params.items():
            number = schema.get('type') in ('integer', 'number')
            if number and not {'minimum', 'maximum'} <= {*schema}:
                found.append(f'{action} {name}')
    return found


@pytest.mark.parametrize(
    'folder', sorted(ROOT.glob('*/charmcraft.yaml')), ids=lambda p: p.parent.name
)
def test_numbers_that_actions_take_have_limits(folder: pathlib.Path):
    assert unlimited(yaml.safe_load(folder.read_text())) == []


def test_a_number_without_a_limit_is_found():
    one = {
        'actions': {'wait': {'params': {'hours': {'type': 'integer', 'minimum': 1}}}, 'go': None}
    }
    assert unlimited(one) == ['wait hours']
