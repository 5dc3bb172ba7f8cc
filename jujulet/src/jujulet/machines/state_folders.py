"""Where machines keep things on the host: one folder a machine, below the state directory, private to the user."""

from __future__ import annotations

import dataclasses
import glob
import hashlib
import json
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .. import aside, codec
from .protocol import Layer, LayerGone, MachineError, MachineSpec

ROOM = 60
"""Characters that a run directory's path may have: a socket's address holds 107, a socket's name the rest."""


@dataclasses.dataclass(frozen=True)
class Given:
    """What a machine was to have beyond a plain one when it was started."""

    there: dict[str, bool] = dataclasses.field(default_factory=dict[str, bool])
    """Devices by path, and kernel modules: whether the host has them."""
    asked: str = ''
    """Every word of what was asked for, to see whether it is another."""


@dataclasses.dataclass(frozen=True)
class StateFolders:
    """Paths below one state directory. Nothing is made but where a method says so."""

    state: Path
    kept: str = 'layers'
    """Name of the directory of install layers: each kind of machine has its own."""

    @property
    def layers_dir(self) -> Path:
        """Where install layers are."""
        return self.state / self.kept

    @property
    def token(self) -> str:
        """A short name for this state directory: two users, or two tests, never meet."""
        return hashlib.sha256(os.fsencode(self.state.absolute())).hexdigest()[:8]

    def name(self, model: str, machine: str) -> str:
        """``3f9a01-0``: six digits of the model's uuid and the machine's id."""
        return f'{model.replace("-", "")[:6]}-{machine.replace("/", "-")}'

    def folder(self, model: str, machine: str) -> Path:
        """Everything of one machine."""
        return self.state / 'machines' / self.name(model, machine)

    def root(self, model: str, machine: str) -> Path:
        """Its file system."""
        return self.folder(model, machine) / 'root'

    def fresh_layer(self) -> Path:
        """A new directory in which to make a layer."""
        path = self.layers_dir / f'.new-{uuid.uuid4().hex[:8]}'
        private(path)
        return path

    def new_layer(self, key: str) -> Path:
        """The folder of a layer to be: the key and some digits, as one of that key may have been before.

        Raises:
            MachineError: the key, which becomes part of a name, is not letters, digits, ``-`` and ``_``.
        """
        if not key or not all(c.isalnum() or c in '-_' for c in key):
            raise MachineError(f'layer key {key!r} is not letters, digits, - and _')
        return self.layers_dir / f'{key}.{uuid.uuid4().hex[:6]}'

    def find_layer(self, key: str) -> Path | None:
        """The folder of the layer of that key; None if there is none."""
        found = self.layers_dir.glob(f'{glob.escape(key)}.*/layer.json')
        return next((path.parent for path in found), None)

    def run_dir(self, model: str, machine: str) -> Path:
        """The directory of its sockets, made with mode 0700; short, wherever the state directory is."""
        above = self.state / 'run'
        if len(str(above / self.name(model, machine))) > ROOM:
            above = self._short()
        path = above / self.name(model, machine)
        private(above)
        private(path)
        return path

    def _short(self) -> Path:
        runtime = Path('/run') if os.geteuid() == 0 else Path(tempfile.gettempdir())
        return runtime / f'jujulet-{self.token}'

    def forget_run(self, model: str, machine: str) -> None:
        """Remove the directory of a machine's sockets."""
        for above in (self.state / 'run', self._short()):
            shutil.rmtree(above / self.name(model, machine), ignore_errors=True)

    def keep_spec(self, spec: MachineSpec) -> None:
        """Write down whose folder it is, which base and layers it stands on. Made before anything else of it."""
        folder = self.folder(spec.model, spec.id)
        private(folder)
        said = {
            'model': spec.model,
            'machine': spec.id,
            'base': str(spec.base),
            'layer': spec.layer,
            'hostname': spec.hostname,
            'address': spec.addresses[0].ipv4 if spec.addresses else '127.0.1.1',
            # Should the store be lost, this is all that is known of it.
            'model_name': spec.model_name,
            'addresses': codec.encode(spec.addresses),
            'spaces': codec.encode([spec.spaces[a.space] for a in spec.addresses]),
        }
        write(folder / 'machine.json', said)

    def keep_given(self, model: str, machine: str, given: Given) -> None:
        """Write down what a machine was to have at its start, and whether the host has it."""
        write(self.folder(model, machine) / 'given.json', dataclasses.asdict(given))

    def given(self, model: str, machine: str) -> Given:
        """What :meth:`keep_given` wrote; empty if it never did."""
        try:
            said = json.loads((self.folder(model, machine) / 'given.json').read_text())
            return Given(dict(said['there']), str(said['asked']))
        except (OSError, ValueError, KeyError, TypeError):
            return Given()

    def known(self) -> dict[tuple[str, str], dict[str, Any]]:
        """Every machine that has a folder here: (model, machine) and what :meth:`keep_spec` wrote."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        for path in sorted((self.state / 'machines').glob('*/machine.json')):
            try:
                said = json.loads(path.read_text())
                found[said['model'], said['machine']] = said
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return found

    def layers(
        self, usable: Callable[[Mapping[str, Any]], bool] = lambda said: True
    ) -> list[Layer]:
        """Complete layers of which what is written down is *usable*, oldest use first."""
        found: list[Layer] = []
        for path in (self.layers_dir).glob('[!.]*/layer.json'):
            try:
                said = json.loads(path.read_text())
                if not usable(said):
                    continue
                used = path.stat().st_mtime
                found.append(
                    Layer(
                        path.parent.name.partition('.')[0],
                        said['base'],
                        said['size'],
                        said['created'],
                        used,
                    )
                )
            except (OSError, ValueError, KeyError, TypeError):
                continue
        return sorted(found, key=lambda layer: layer.used)

    def keep_layer(
        self, made: Path, key: str, base: str, size: int, more: Mapping[str, object]
    ) -> None:
        """Put a layer that was made in *made* in its place, with what is to be known of it."""
        said = {'base': base, 'size': size, 'created': time.time(), **more}
        write(made / 'layer.json', said)
        self.drop_layer(key)
        made.rename(self.new_layer(key))

    def drop_layer(self, key: str) -> None:
        """A layer is used no more; idempotent. Its files stay."""
        folder = self.find_layer(key)
        if folder is not None:
            (folder / 'layer.json').unlink(missing_ok=True)

    def use_layer(self, key: str) -> Path:
        """Note that a layer was started from; its folder.

        Raises:
            LayerGone: there is no such layer.
        """
        folder = self.find_layer(key)
        try:
            if folder is not None:
                os.utime(folder / 'layer.json')
                return folder
        except FileNotFoundError:
            pass
        raise LayerGone(f'install layer {key} is gone')


def private(path: Path) -> None:
    """Make a directory (and those above it) that only its owner may enter.

    Raises:
        MachineError: it belongs to another user.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise MachineError(
            f'{path} belongs to another user; remove it or choose another state directory'
        )
    path.chmod(0o700)


def write(path: Path, content: object) -> None:
    """Write JSON so that a reader sees all of it or none."""
    aside.write(path, json.dumps(content))
