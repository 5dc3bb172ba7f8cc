"""One run of the charm: a volume group of the disks that the operator names, published to cinder. Pure.

Source of the options: those of Charmed OpenStack's cinder-lvm; of the driver's, cinder's documentation of
``cinder.volume.drivers.lvm.LVMVolumeDriver``.
"""

from __future__ import annotations

import re

import charmkit
import volume_group
from charmkit import host, options
from charmkit.relations import cinder

_DISK = re.compile(r'(/dev/)?[A-Za-z0-9][A-Za-z0-9_.:/-]{0,200}')
_ALIAS = re.compile(r'[A-Za-z0-9][A-Za-z0-9_-]{0,63}')
TARGETS = 'tgt'
PACKAGES = host.Host(packages=frozenset({'lvm2', 'thin-provisioning-tools', 'tgt'}))


def _are_disks(text: str) -> bool:
    words = text.split()
    good = (bool(_DISK.fullmatch(word)) and '..' not in word for word in words)
    return len({*map(_path, words)}) == len(words) <= 64 and all(good)


OPTIONS = (
    options.Option(
        'alias',
        options.Kind(
            'string',
            'letters, digits, dashes and underscores',
            lambda text: bool(_ALIAS.fullmatch(text)),
        ),
        'default',
        'Names the storage: the volume group is `cinder-volumes-ALIAS`, and `volume_backend_name` in a '
        'volume type is `LVM-ALIAS`. Another value makes another group; the one before stays as it is.',
    ),
    options.Option(
        'block-device',
        options.Kind(
            'string', 'disks such as /dev/sdb, each once, separated by spaces', _are_disks
        ),
        '',
        'The disks of each unit that the volume group is made of. One that is added is added to it; none '
        'is ever taken out of it.',
    ),
    options.Option(
        'overwrite',
        options.SWITCH,
        False,
        'Disks that have something on them are used as well, and what was on them is lost. Those of '
        'other volume groups, and those in use, are not.',
    ),
    options.Option(
        'allocation-type',
        options.one_of('default', 'thin', 'auto'),
        'default',
        'How volumes take room: `default` all of it at once, `thin` as they are written, `auto` as '
        'they are written where LVM can.',
    ),
    options.Option(
        'erase-size',
        options.Kind(
            'string',
            'a whole number from 0 to 1024 (MiB)',
            lambda t: t.isdecimal() and int(t) <= 1024,
        ),
        '0',
        'How much of a deleted volume is overwritten with zeros, from its beginning; 0 is all of it.',
    ),
    options.Option(
        'unique-backend',
        options.SWITCH,
        False,
        'Each unit is a backend of its own: `volume_backend_name` is `LVM-HOST-ALIAS`.',
    ),
)


def run(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What follows from *why* this run is and from *inputs*. A unit that goes leaves its volumes where they are."""
    if why.removing:
        return charmkit.Desired()
    paths = tuple(map(_path, str(inputs.options.get('block-device') or '').split()))
    if not paths:
        said = 'no storage: set the option block-device'
        return charmkit.Desired(host=PACKAGES, status=(charmkit.Status('blocked', said),))
    alias = str(inputs.options['alias'])
    group = f'cinder-volumes-{alias}'
    make = volume_group.Make(group, paths, bool(inputs.options['overwrite']))
    said = inputs.seen.get(make.name)
    made = said == ''
    return charmkit.Desired(
        host=host.merge(
            PACKAGES, host.Host(services=(host.SystemdService(TARGETS),)) if made else host.Host()
        ),
        unit_data={cinder.BACKENDS: backend(inputs, group, alias)} if made else {},
        status=(charmkit.Status('blocked', said),) if isinstance(said, str) and said else (),
        tasks=(make,),
    )


def backend(inputs: charmkit.Inputs, group: str, alias: str) -> dict[str, str]:
    """What is published to cinder: volumes of *group* are this unit's, and no other serves them."""
    unique = bool(inputs.options['unique-backend'])
    own = f'{inputs.facts.hostname or inputs.site.unit.replace("/", "-")}-' if unique else ''
    return dict(
        cinder.present(
            inputs.site.app,
            {
                'volume_driver': 'cinder.volume.drivers.lvm.LVMVolumeDriver',
                'volume_backend_name': f'LVM-{own}{alias}',
                'volume_group': group,
                'volumes_dir': '/var/lib/cinder/volumes',
                'lvm_type': str(inputs.options['allocation-type']),
                'volume_clear': 'zero',
                'volume_clear_size': str(int(str(inputs.options['erase-size']))),
                'target_helper': 'tgtadm',
            },
        )
    )


def _path(word: str) -> str:
    return word if word.startswith('/dev/') else f'/dev/{word}'
