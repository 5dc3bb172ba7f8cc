"""A folder of charms/ as its rules see it: what it declares, and what it does on a machine that is only remembered."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib.util
import json
import pathlib
import sys
from collections.abc import Generator
from typing import Any

import charmkit
import pytest
from charmkit import testing as machines
from ops import testing

from charms import conftest as given
from tests import quick_yaml

BASES = ('debian@12', 'debian@13')
DATABASES = {'nova-cloud-controller': ('nova', 'novaapi', 'novacell0')}
"""The prefixes of the databases of a charm that wants several."""


@dataclasses.dataclass(frozen=True)
class Folder:
    """One charm's folder."""

    path: pathlib.Path

    @property
    def meta(self) -> dict[str, Any]:
        """Its charmcraft.yaml."""
        return quick_yaml.read((self.path / 'charmcraft.yaml').read_text())

    @property
    def name(self) -> str:
        """As charmcraft.yaml has it."""
        return str(self.meta['name'])

    @property
    def sources(self) -> list[pathlib.Path]:
        """Its own code."""
        return sorted((self.path / 'src').rglob('*.py'))

    @property
    def goldens(self) -> str:
        """Its rendered files, as its tests keep them."""
        kept = sorted((self.path / 'tests').rglob('*.ambr'))
        return '\n'.join(path.read_text() for path in kept)


@dataclasses.dataclass(frozen=True)
class Seen:
    """What a charm did in one hook."""

    out: testing.State
    machine: machines.FakeMachine
    ctx: testing.Context[Any]

    @property
    def conf(self) -> str:
        """Every file of the service's own configuration, as text."""
        return '\n'.join(f.content for f in self.machine.desired.files if f.mode == 0o640)

    @property
    def sites(self) -> str:
        """Apache's virtual hosts."""
        files = self.machine.desired.files
        return '\n'.join(f.content for f in files if '/sites-enabled/' in f.path)


def api_charms(root: pathlib.Path) -> list[Folder]:
    """The folders of *root* that declare an ApiCharm."""
    return _declaring(root, 'ApiCharm)')


def sites(root: pathlib.Path) -> list[Folder]:
    """The folders of *root* that declare a WebsiteCharm."""
    return _declaring(root, 'WebsiteCharm)')


def _declaring(root: pathlib.Path, text: str) -> list[Folder]:
    found = (path.parents[1] for path in root.glob('*/src/charm.py'))
    return [Folder(p) for p in sorted(found) if text in (p / 'src/charm.py').read_text()]


@contextlib.contextmanager
def loaded(folder: Folder) -> Generator[type[charmkit.ApiCharm]]:
    """Its charm class; the modules beside it are importable by their bare names meanwhile."""
    source = folder.path / 'src'
    known, path = dict(sys.modules), list(sys.path)
    # Another copy of the folder may have been imported under the same names.
    for module in source.glob('*.py'):
        sys.modules.pop(module.stem, None)
    sys.path.insert(0, str(source))
    try:
        spec = importlib.util.spec_from_file_location('charm', source / 'charm.py')
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules['charm'] = module
        spec.loader.exec_module(module)
        (found,) = [
            thing
            for thing in vars(module).values()
            if isinstance(thing, type)
            and issubclass(thing, charmkit.ApiCharm)
            and thing not in (charmkit.ApiCharm, charmkit.WebsiteCharm)
        ]
        yield found
    finally:
        sys.path[:] = path
        for name in set(sys.modules) - set(known):
            where = getattr(sys.modules[name], '__file__', None)
            if where and pathlib.Path(where).is_relative_to(source):
                del sys.modules[name]
        sys.modules.update(known)


@functools.cache
def at_work(folder: Folder, base: str, *, balanced: bool = False, pause: bool = False) -> Seen:
    """The leader with all that it needs on *base*; behind a load balancer, and then paused, if asked for.

    Once for each: rules read what was seen, and change none of it.
    """
    relations: set[testing.RelationBase] = {testing.PeerRelation('peers')}
    if balanced:
        relations.add(_balancer())
    for endpoint, declared in folder.meta['requires'].items():
        if not declared.get('optional'):
            relations.add(_answered(folder.name, endpoint, declared['interface']))
    start = testing.State(leader=True, relations=relations, networks=given.networks())
    with loaded(folder) as charm, pytest.MonkeyPatch.context() as patch:
        machine = machines.FakeMachine(base=base)
        patch.setattr(charmkit.Charm, 'machine', machine)
        _quiet(patch, folder)
        ctx = testing.Context(charm, app_name=folder.name)
        out = ctx.run(ctx.on.config_changed(), start)
        out = ctx.run(ctx.on.update_status(), out)  # What the leader shares is kept between hooks.
        if pause:
            out = ctx.run(ctx.on.action('pause', params={'reason': 'a rule'}), out)
    return Seen(out, machine, ctx)


def _balancer() -> testing.Relation:
    """A load balancer that speaks version 2, and has decided nothing yet."""
    data = {'interface-versions': json.dumps([1, 2])}
    return testing.Relation('internal-backend', remote_app_name='lb', remote_app_data=data)


def _answered(name: str, endpoint: str, interface: str) -> testing.RelationBase:
    """A relation whose other side has done its part. KeyError for an interface without an answer: give it one here."""
    known: dict[str, testing.RelationBase] = {
        'mysql-shared': given.database(f'{name}/0', *DATABASES.get(name, ())),
        'keystone': given.identity(name),
        'rabbitmq': given.broker(),
    }
    return dataclasses.replace(known[interface], endpoint=endpoint)


def _quiet(patch: pytest.MonkeyPatch, folder: Folder) -> None:
    """Keystone and heat speak to keystone over HTTP: there is no server here to do that with."""
    if (folder.path / 'src' / 'rest.py').is_file():
        tasks = sys.modules['tasks']
        patch.setattr(tasks.Catalogue, 'carry_out', _nothing_found)
    if (folder.path / 'src' / 'stack_domain.py').is_file():
        patch.setattr(sys.modules['stack_domain'].Domain, 'carry_out', _nothing_amiss)


def _nothing_found(*_: Any) -> Any:
    return sys.modules['tasks'].Outcome()


def _nothing_amiss(*_: Any) -> str:
    return ''
