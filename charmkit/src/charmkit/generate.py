"""Write into ``charmcraft.yaml`` what its charm declares and what every API charm has, and ``lifecycle.yaml``.

``python -m charmkit.generate charms/*`` brings the files up to date; with ``--check`` it only says which are not
(exit status 1). What a charm has for itself (title, description, other relations and actions)
is written by hand, and stays as it is.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import sys
import textwrap
from collections.abc import Iterable, Mapping, Sequence

import yaml

from . import declaration, options, rehearsal, releases
from .api import AgentCharm, ApiCharm
from .charm import Charm
from .loading import load as load
from .relations import keystone, loadbalancer

_WIDTH = 99
LIBRARY = '../../charmkit'
"""Where the charms of charmkit's own repository have it from, as their pyproject.toml says."""

COMMON = """\
base: ubuntu@24.04
platforms:
  amd64:
  arm64:
assumes:
  - juju >= 3.6
"""
PART = """\
  charm:
    plugin: uv
    source: ../..
    source-subdir: charms/{name}
    build-snaps: [astral-uv]
"""
ALONE_PART = """\
  charm:
    plugin: uv
    source: .
    build-snaps: [astral-uv]
"""
LIFECYCLE_PART = f"""\
  lifecycle:
    plugin: dump
    source: .
    prime: [{declaration.FILE}]
"""
API_TOP = """\
extra-bindings:
  internal:
  public:
  admin:
peers:
  peers:
    interface: {name}-peer
"""
CERTIFICATES = """\
  certificates:
    interface: tls-certificates
    optional: true
"""
TRUST = """\
  receive-ca-cert:
    interface: certificate_transfer
    optional: true
"""
AGENT_TOP = """\
peers:
  peers:
    interface: {name}-peer
"""
ENDPOINTS = """\
  public-backend:
    interface: openstack-api-endpoints
    optional: true
  internal-backend:
    interface: openstack-api-endpoints
    optional: true
  admin-backend:
    interface: openstack-api-endpoints
    optional: true
"""
ACTIONS = """\
  pause:
    description: |
      Stop serving on this unit, once its load balancer sends it nothing more and the last request
      has ended. The unit's status says how far that is.
    params:
      reason:
        type: string
        description: Shown to whoever waits.
      deadline:
        type: integer
        minimum: 1
        maximum: 86400
        default: 300
        description: Seconds after which requests under way are given up, or cut off with force.
      force:
        type: boolean
        default: false
        description: Drain even when no other unit is ready, and cut off at the deadline.
    additionalProperties: false
  resume:
    description: |
      Serve on this unit again, and notify the load balancer once it is healthy. While the unit waits for a
      reload of Apache: reload it now, whatever is under way.
    additionalProperties: false
  openstack-upgrade:
    description: |
      Upgrade the unit's OpenStack packages to what its archive has. Pause it first; the leader
      migrates the database in a way that the older units bear.
    params:
      force:
        type: boolean
        default: false
        description: Upgrade while clients are still sent to this unit.
    additionalProperties: false
  db-expand:
    description: |
      Migrate the database for this unit's release, in a way that units of the older release bear.
    additionalProperties: false
"""
AGENT_ACTIONS = """\
  pause:
    description: Stop the daemons of this unit; the unit's status says so.
    additionalProperties: false
  resume:
    description: Run the daemons of this unit again.
    additionalProperties: false
  openstack-upgrade:
    description: Upgrade the unit's OpenStack packages to what its archive has.
    additionalProperties: false
"""
ONLINE = """\
  db-online:
    description: |
      Move data in the database to where this unit's release has it, while the service goes on. It is refused while a
      unit of another release is left.
    additionalProperties: false
"""
CONTRACT = """\
  db-contract:
    description: |
      Drop from the database what only the older release needed. It is refused while a unit of another
      release is left, and while data is to be moved.
    additionalProperties: false
"""
REHEARSAL = """\
  rehearse-migrations:
    description: |
      Run each migration of this unit's release on a copy of its databases, and say how long it took. The copy is on
      this unit, in a server of its own, and is removed afterwards; the databases themselves are only read.
    additionalProperties: false
"""


def metadata(
    text: str, name: str, charm: type[Charm], *, lifecycle: bool = False, alone: bool = False
) -> str:
    """The ``charmcraft.yaml`` of the charm *name*, whose present text is *text*, as *charm* declares it.

    *lifecycle*: it has a ``lifecycle.yaml``, which goes into the charm. *alone*: its folder has all that it is made of,
    where others are packed from charmkit's own repository.
    """
    api = issubclass(charm, ApiCharm)
    text = _put(text, '', _blocks(COMMON.format(name=name), ''))
    own = ALONE_PART if alone else PART.format(name=name)
    part = own + (LIFECYCLE_PART if lifecycle else '')
    text = _put(text, 'parts:', _blocks(part, '  '))
    if api:
        text = _put(text, '', _blocks(API_TOP.format(name=name), ''))
        text = _put(text, 'requires:', _blocks(CERTIFICATES + TRUST, '  '))
        text = _put(text, 'provides:', _blocks(ENDPOINTS, '  '))
        every = charm.spec.every_release
        actions = ACTIONS
        actions += ONLINE if any(s.migrations.online for s in every) else ''
        actions += CONTRACT if any(s.migrations.contract for s in every) else ''
        actions += REHEARSAL if any(s.migrations.sync for s in every) else ''
        text = _put(text, 'actions:', _blocks(actions, '  '))
    if issubclass(charm, AgentCharm):
        text = _put(text, '', _blocks(AGENT_TOP.format(name=name), ''))
        text = _put(text, 'requires:', _blocks(TRUST, '  '))
        text = _put(text, 'actions:', _blocks(AGENT_ACTIONS, '  '))
    if declared := charm.declared_options():
        config = 'config:\n  options:\n' + ''.join(map(option, declared))
        text = _put(text, '', {'config:': config})
    return text


_MIGRATIONS = {
    'rehearse': rehearsal.ACTION,
    'expand': 'db-expand',
    'online': 'db-online',
    'contract': 'db-contract',
}


def declaration_of(
    charm: type[ApiCharm | AgentCharm], *, subordinate: bool
) -> declaration.Document:
    """What a tool that upgrades a cloud must know of *charm*."""
    spec = charm.spec
    said, every = spec.lifecycle, spec.every_release
    api = issubclass(charm, ApiCharm)
    types = (*(app.type for app in spec.apps if app.type), *(s.type for s in spec.served))
    identity = any(need.relation == keystone.RELATION for need in spec.needs)
    migrates = {
        'rehearse': api and any(s.migrations.sync for s in every),
        'expand': api and any(s.migrations.sync for s in every),
        'online': api and any(s.migrations.online for s in every),
        'contract': api and any(s.migrations.contract for s in every),
    }
    own: tuple[declaration.Way, ...] = ('stay',) if subordinate else said.ways
    return declaration.Document(
        provides=(*types, *said.provides),
        after=tuple(
            dict.fromkeys((*declaration.FIRST, *(('identity',) if identity else ()), *said.after))
        ),
        ways=own,
        releases={
            base: release.name
            for base, release in releases.OF_BASE.items()
            if not said.bases or base in said.bases
        },
        actions={
            **{what: name for what, name in _MIGRATIONS.items() if migrates[what]},
            **{'drain': 'pause', 'admit': 'resume', 'upgrade': 'openstack-upgrade'},
        },
        behind=tuple(loadbalancer.ENDPOINTS) if api else (),
        may_not_mix=said.may_not_mix,
        mix_needs=said.mix_needs,
    )


def option(o: options.Option) -> str:
    """One option, as ``charmcraft.yaml`` spells it."""
    # JSON is YAML, and a word stands better without quotes where YAML takes it for nothing else.
    plain = isinstance(o.default, str) and re.fullmatch(r'[A-Za-z][\w-]*', o.default, re.ASCII)
    word = plain and str(o.default).lower() not in declaration.YAML_WORDS
    shown = o.default if word else json.dumps(o.default, ensure_ascii=False)
    wanted = f' Wanted: {o.kind.wants}.' if o.kind.wants else ''
    return (
        f'    {o.name}:\n      type: {o.kind.juju}\n      default: {shown}\n'
        f'      description: |\n{textwrap.indent(_fill(o.description + wanted), " " * 8)}\n'
    )


def _fill(text: str) -> str:
    return textwrap.fill(text, _WIDTH - 8, break_long_words=False, break_on_hyphens=False)


def _blocks(text: str, indent: str) -> dict[str, str]:
    """The entries of a mapping at *indent*, by key, each with the comment above it; '' has what follows the last."""
    found: dict[str, str] = {}
    key, above = '', ''
    for line in text.splitlines(keepends=True):
        if re.match(rf'{indent}[^\s#]', line):
            key = line.split(':', 1)[0].strip() + ':'
            found[key], above = above + line, ''
        elif not line.strip() or re.match(rf'{indent}#', line):
            above += line  # Whose it is says the next line.
        else:
            found[key], above = found.get(key, '') + above + line, ''
    return {**found, '': above} if above else found


def _put(text: str, parent: str, entries: Mapping[str, str]) -> str:
    """*text* with *entries* in the mapping *parent* ('' is the whole file): in the old one's place, or at its end.

    Raises:
        ValueError: when *parent* is there in one line.
    """
    if not parent:
        there = _blocks(text, '')
        return ''.join({**there, **_commented(there, entries, '')}.values())
    top = _blocks(text, '')
    above, block = _split(top.get(parent, f'{parent}\n'), '')
    head, _, body = block.partition('\n')
    if not re.fullmatch(rf'{parent}\s*(\{{\s*\}}\s*)?(#.*)?', head):
        raise ValueError(f'{head!r} is to have its entries on lines of their own')
    head = re.sub(r'\s*\{\s*\}', '', head, count=1)
    there = _blocks(body, '  ')
    inner = {**there, **_commented(there, entries, '  ')}
    return ''.join({**top, parent: f'{above}{head}\n{"".join(inner.values())}'}.values())


def _commented(
    there: Mapping[str, str], entries: Mapping[str, str], indent: str
) -> dict[str, str]:
    """*entries* under the comments that stand above those *there*."""
    return {key: _split(there.get(key, ''), indent)[0] + text for key, text in entries.items()}


def _split(block: str, indent: str) -> tuple[str, str]:
    """The comment above an entry, and the entry."""
    found = re.search(rf'^{indent}[^\s#]', block, re.MULTILINE)
    start = found.start() if found else len(block)
    return block[:start], block[start:]


def _is_alone(folder: pathlib.Path) -> bool:
    """Whether it has its library from elsewhere than from the repository that it is in."""
    project = folder / 'pyproject.toml'
    return project.is_file() and f'"{LIBRARY}"' not in project.read_text(encoding='utf-8')


def _look_at(path: pathlib.Path, text: str) -> None:
    """Raises ValueError where nothing can be written into what is there."""
    try:
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as e:
        raise ValueError(f'{path}: not valid YAML: {" ".join(str(e).split())[:160]}') from None
    if not isinstance(found, dict):
        raise ValueError(f'{path}: it is no mapping of names to values, such as name: my-plugin')


def stale(folders: Iterable[pathlib.Path]) -> dict[pathlib.Path, str]:
    """Each ``charmcraft.yaml`` and ``lifecycle.yaml`` below *folders* that is not as it should be, and how it should.

    A charm that declares no service has the latter by hand, or not at all.

    Raises:
        ValueError: naming a file that is no YAML, or has a mapping in one line where entries are to go, or a charm
            that declares what it cannot.
    """
    out: dict[pathlib.Path, str] = {}
    for folder in folders:
        path = folder / 'charmcraft.yaml'
        text = path.read_text()
        _look_at(path, text)
        found = re.search(r'^name: (\S+)$', text, re.MULTILINE)
        try:
            charm, lifecycle = load(folder), folder / declaration.FILE
        except ValueError as e:
            raise ValueError(f'{folder}: {e}') from None
        declares = issubclass(charm, (ApiCharm, AgentCharm))
        try:
            wanted = metadata(
                text,
                found[1] if found else folder.name,
                charm,
                lifecycle=declares or lifecycle.is_file(),
                alone=_is_alone(folder),
            )
        except ValueError as e:
            raise ValueError(f'{path}: {e}') from None
        if wanted != text:
            out[path] = wanted
        if declares:
            subordinate = bool(re.search(r'^subordinate: true\b', text, re.MULTILINE))
            there = lifecycle.read_text() if lifecycle.is_file() else ''
            said = declaration.render(declaration_of(charm, subordinate=subordinate))
            if said != there:
                out[lifecycle] = said
    return out


def main(argv: Sequence[str]) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog='charmkit generate', description=__doc__)
    parser.add_argument('--check', action='store_true', help='only say which are not up to date')
    parser.add_argument('charms', nargs='+', type=pathlib.Path, metavar='FOLDER')
    asked = parser.parse_args(argv)
    try:
        found = stale(f for f in asked.charms if (f / 'src/charm.py').is_file())
    except ValueError as e:
        print(f'charmkit: {e}', file=sys.stderr)
        return 2
    for path, text in found.items():
        if asked.check:
            print(f'{path} is not as its charm declares it: run python -m charmkit.generate')
        else:
            path.write_text(text)
            print(path)
    return 1 if asked.check and found else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
