"""Where volumes are, as the operator says it, and what is published of it to cinder. Pure.

Source: cinder's documentation of the driver ``cinder.volume.drivers.nfs.NfsDriver``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from charmkit import options
from charmkit.relations import Databag, cinder

_SHARE = re.compile(
    r'([A-Za-z0-9][A-Za-z0-9._-]{0,252}|\[[0-9A-Fa-f:.]{2,45}\]):/[A-Za-z0-9._/-]{0,1000}'
)
_MOUNT_OPTIONS = re.compile(r'[a-z0-9_.,:=/-]*')
_NAME = re.compile(r'[A-Za-z0-9][A-Za-z0-9_.-]{0,79}|')


def _are_shares(text: str) -> bool:
    words = text.split()
    return len({*words}) == len(words) <= 64 and all(map(_SHARE.fullmatch, words))


OPTIONS = (
    options.Option(
        'nfs-shares',
        options.Kind(
            'string', 'shares as HOST:/PATH, each once, separated by spaces', _are_shares
        ),
        '',
        'The NFS shares that volumes are kept in. They outlive any machine of the cloud, and every unit of cinder '
        'serves all volumes.',
    ),
    options.Option(
        'nfs-mount-options',
        options.Kind(
            'string',
            'mount options, separated by commas',
            lambda text: bool(_MOUNT_OPTIONS.fullmatch(text)),
        ),
        '',
        'How shares are mounted, see nfs(5).',
    ),
    options.Option(
        'serve-directory',
        options.SWITCH,
        False,
        'Where there is no NFS server, or no NFS in the kernel: volumes are kept in a directory of the unit of cinder '
        'that makes them, and compute nodes reach it over SSH (sshfs). They are lost with that machine. It takes '
        'precedence over `nfs-shares`.',
    ),
    options.Option(
        'volume-backend-name',
        options.Kind(
            'string',
            'letters, digits, dots, dashes and underscores',
            lambda text: bool(_NAME.fullmatch(text)),
        ),
        '',
        'What cinder calls this storage: the value of `volume_backend_name` in a volume type. Empty takes the '
        "application's name.",
    ),
)


def config_path(name: str) -> str:
    """The file that has the shares of the backend *name*, a line each."""
    return f'/etc/cinder/nfs_shares.{name}'


def backend(name: str, chosen: Mapping[str, object], *, shared: bool) -> Databag:
    """What is published to cinder of the backend *name*; *shared* when all of its units can reach its volumes.

    Files are made by root, and whoever runs a server may read and write its volume: on a compute node that is
    another user than here.
    """
    mount_options = str(chosen.get('nfs-mount-options') or '')
    return cinder.present(
        name,
        {
            'volume_driver': 'cinder.volume.drivers.nfs.NfsDriver',
            'volume_backend_name': name,
            'nfs_shares_config': config_path(name),
            'nfs_mount_point_base': '/var/lib/cinder/mnt',
            'nfs_sparsed_volumes': 'True',
            'nfs_snapshot_support': 'True',
            'nas_secure_file_operations': 'False',
            'nas_secure_file_permissions': 'False',
            **({'nfs_mount_options': mount_options} if mount_options and shared else {}),
        },
        stateless=shared,
    )
