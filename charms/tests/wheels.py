"""Wheels of networking-calico, with what charms look for in the true one: a text for each edit. Not a test."""

from __future__ import annotations

import hashlib
import io
import pathlib
import zipfile

from charmkit.calico import for_python3, wheel
from ops import testing

DRIVER = 'networking_calico/plugins/ml2/drivers/calico/mech_calico.py'
POINTS = f'[neutron.ml2.mechanism_drivers]\ncalico = {DRIVER[:-3].replace("/", ".")}:CalicoMechanismDriver\n'


def packed(files: dict[str, str | bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    """A wheel of *files*."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w') as archive:
        for path, content in files.items():
            archive.writestr(zipfile.ZipInfo(path), content, how)
    return out.getvalue()


def described(version: str, points: str = POINTS) -> dict[str, str | bytes]:
    """What a wheel says of itself."""
    folder = f'networking_calico-{version}.dist-info'
    return {
        f'{folder}/METADATA': f'Metadata-Version: 2.1\nName: networking-calico\nVersion: {version}\n',
        f'{folder}/entry_points.txt': points,
        f'{folder}/RECORD': '',
    }


def modules() -> dict[str, str]:
    """Modules that every edit is for."""
    out: dict[str, str] = {}
    for edit in for_python3.EDITS:
        path = edit.path or 'networking_calico/datamodel_v1.py'
        out[path] = out.get(path, '') + f'{edit.old}\n' * edit.times
    return out


def released() -> bytes:
    """What stands for the wheel on PyPI; :func:`pin` makes it that one."""
    tests: dict[str, str | bytes] = {'networking_calico/tests/test_x.py': 'intern(x)'}
    return packed({**modules(), **tests, **described(for_python3.VERSION)})


def newer(version: str = '3.29.1', how: int = zipfile.ZIP_STORED) -> bytes:
    """One of a later release, which nothing is mended in."""
    return packed({DRIVER: 'x.iteritems()\n', **described(version)}, how)


def digest(content: bytes) -> str:
    """As :data:`charmkit.calico.wheel.PINNED` is."""
    return hashlib.sha256(content).hexdigest()


assert digest(released()) != wheel.PINNED


def resource(folder: pathlib.Path, content: bytes) -> testing.Resource:
    """The resource of a charm, with *content*, kept in *folder*."""
    path = folder / 'networking-calico.whl'
    path.write_bytes(content)
    return testing.Resource(name='networking-calico', path=path)
