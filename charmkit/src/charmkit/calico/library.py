"""networking-calico on a machine: from a charm resource into a folder of its own, which Python is told of. Pure.

A ``.pth`` file names the folder (module ``site``). Nothing is fetched, and no package's files are touched.
"""

from __future__ import annotations

import dataclasses
from typing import cast

from .. import host, releases, state
from . import for_python3, wheel

RESOURCE = 'networking-calico'
MEMORY = 'drivers'
"""The name in the unit's memory of the folders that are on the machine."""
HOME = '/usr/local/lib/networking-calico'
PACKAGE = 'python3-etcd3gw'
"""What it speaks to etcd with; no package of neutron's asks for it."""
PYTHONS = {'debian@12': '3.11', 'ubuntu@24.04': '3.12', 'debian@13': '3.13'}
"""The Python of each base."""
_MOST = 2
_FILE = 'networking_calico-3.12.0-py3-none-any.whl'
_POINTER = '/usr/local/lib/python{}/dist-packages/networking-calico.pth'


@dataclasses.dataclass(frozen=True)
class Library:
    """What is attached, for the machine that it is for."""

    wheel: wheel.Wheel | None = None
    wrong: str = ''
    """Why there is none that will do, in one sentence."""


def attached(inputs: state.Inputs) -> Library:
    """The wheel that is attached, and why it will not do on this machine, or with its neutron."""
    release = releases.OF_BASE.get(inputs.facts.base)
    if release is None:
        bases = ', '.join(releases.OF_BASE)
        return Library(wrong=f'{inputs.facts.base} is no base of this charm: {bases}')
    way = f'juju attach-resource {inputs.site.app} {RESOURCE}={_FILE}'
    given = inputs.resources.get(RESOURCE, state.Resource())
    if given.failure:
        said = f'resource-get {RESOURCE}: {given.failure}; if none is attached: {way}'
        return Library(wrong=said)
    if not given.content:
        return Library(wrong=f'the resource {RESOURCE} is empty: {way}')
    try:
        found = wheel.read(given.content)
        if folder(found) not in folders(inputs):  # Else it was taken before.
            wheel.compiled(found)
    except ValueError as e:
        return Library(wrong=f'the resource {RESOURCE}: {e}')
    if found.version == for_python3.VERSION and release != releases.ZED:
        return Library(
            wrong=f'networking-calico {found.version} goes with neutron of zed, and here is {release.name}: '
            'attach a newer one'
        )
    return Library(found)


def folder(one: wheel.Wheel) -> str:
    """The name of its folder in :data:`HOME`."""
    return f'{one.version}-{one.digest}'


def folders(inputs: state.Inputs) -> list[str]:
    """The folders in :data:`HOME` that an earlier run has left, the one in force first."""
    kept = inputs.memory.get(MEMORY)
    every = cast('list[object]', kept) if isinstance(kept, list) else []
    return [each for each in every if isinstance(each, str)]


def memory(inputs: state.Inputs, one: wheel.Wheel) -> dict[str, list[str]]:
    """What later runs are to know once *one* is installed."""
    return {MEMORY: _kept(inputs, one)}


def installed(inputs: state.Inputs, one: wheel.Wheel, notify: tuple[str, ...] = ()) -> host.Host:
    """It where the Python of this machine finds it; of older ones the one before alone is left.

    What runs has that one in use until it is started anew. *notify*: services that start anew with another one.
    """
    at = f'{HOME}/{folder(one)}'
    found = (host.File(path=f'{at}/{path}', content=text) for path, text in one.files.items())
    told = host.File(
        path=_POINTER.format(PYTHONS[inputs.facts.base]), content=f'{at}\n', notify=notify
    )
    return host.merge(host.Host(files=(*found, told)), _tidied(_kept(inputs, one)))


def cleared(inputs: state.Inputs) -> host.Host:
    """Nothing of it is left on the machine."""
    pointers = tuple(host.Absent(path=_POINTER.format(p)) for p in PYTHONS.values())
    # What was removed once may have come again since: each removal is one of its own.
    gone = host.Command(
        name='remove networking-calico', argv=('rm', '-rf', '--', HOME), key=str(inputs.now)
    )
    return host.Host(absent=pointers, commands=(gone,) if folders(inputs) else ())


def _kept(inputs: state.Inputs, one: wheel.Wheel) -> list[str]:
    return list(dict.fromkeys((folder(one), *folders(inputs))))[:_MOST]


def _tidied(kept: list[str]) -> host.Host:
    if len(kept) < _MOST:
        return host.Host()
    others = (word for name in kept for word in ('!', '-name', name))
    argv = ('find', HOME, '-mindepth', '1', '-maxdepth', '1', *others, '-exec', 'rm', '-rf', '--')
    tidy = host.Command(
        name='older networking-calico', argv=(*argv, '{}', '+'), key=' '.join(kept)
    )
    return host.Host(commands=(tidy,))
