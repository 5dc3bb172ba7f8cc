"""The bundle that is tested: its file, and the folder that its tests stand in."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib
from collections.abc import Mapping

from matrix.grammar import located, problem

_NAMES = ('bundle.yaml', 'bundle.yml')


@dataclasses.dataclass(frozen=True)
class Bundle:
    """A bundle on the disk. Its tests stand in `folder`/tests; `digest` is that of its file's text.

    `spaces` are those that it binds endpoints to. `ha` says whether it promises to stay up without one unit: it has
    an application of two or more.
    """

    file: pathlib.Path
    folder: pathlib.Path
    name: str
    digest: str
    applications: tuple[str, ...] = ()
    spaces: frozenset[str] = frozenset()
    ha: bool = False
    spell: bool = False
    charms: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])
    """The path of each application's charm that lies on this machine."""


def find(path: pathlib.Path) -> Bundle:
    """The bundle at a path: its folder, or its file.

    A file that is not called bundle.yaml has its tests in the folder of its own name beside it, where there is one
    (dmz.yaml: dmz/tests), else in `tests` beside it. A folder with `metadata.yaml` and a `friendly-name` in it is a
    conjure-up spell, of which the bundle is deployed.

    Raises:
        problem.RefusedError: there is no bundle, or it is not one.
    """
    if path.is_dir():
        file = next((path / name for name in _NAMES if (path / name).is_file()), None)
        if file is None:
            raise _refused(path, f'there is no bundle here: no {_NAMES[0]}; say where with -p')
    else:
        file = path
    try:
        text = file.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else 'not UTF-8 text'
        raise _refused(file, f'the bundle cannot be read: {reason}') from error
    applications = _applications(text, file)
    return Bundle(
        file=file.resolve(),
        folder=_folder(file.resolve()),
        name=_name(file.resolve()),
        digest=f'sha256:{hashlib.sha256(text.encode()).hexdigest()}',
        applications=tuple(entry.key for entry in applications.entries),
        spaces=frozenset(
            space for entry in applications.entries for space in _spaces(entry.value)
        ),
        ha=any(_units(entry.value) > 1 for entry in applications.entries),
        spell=_is_spell(file.parent / 'metadata.yaml'),
        charms=_charms(applications, file.resolve().parent),
    )


def _folder(file: pathlib.Path) -> pathlib.Path:
    own = file.with_suffix('')
    return own if file.name not in _NAMES and (own / 'tests').is_dir() else file.parent


def _name(file: pathlib.Path) -> str:
    return file.parent.name if file.name in _NAMES else file.stem


def _applications(text: str, file: pathlib.Path) -> located.Mapping:
    # A bundle may be followed by overlays in the same file, each a document of its own; Juju reads those.
    document = located.load(text.split('\n---', 1)[0], str(file))
    found = (
        (document.get('applications') or document.get('services'))
        if isinstance(document, located.Mapping)
        else None
    )
    if not isinstance(found, located.Mapping) or not found.entries:
        raise problem.RefusedError(
            [problem.Problem(document.where, 'a bundle needs applications')]
        )
    return found


def _units(application: located.Value) -> int:
    said = application.get('num_units') if isinstance(application, located.Mapping) else None
    count = said.value if isinstance(said, located.Scalar) else None
    return count if isinstance(count, int) else 0


def _charms(applications: located.Mapping, folder: pathlib.Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for entry in applications.entries:
        charm = entry.value.get('charm') if isinstance(entry.value, located.Mapping) else None
        said = charm.value if isinstance(charm, located.Scalar) else None
        if isinstance(said, str) and said.startswith(('.', '/')):
            found[entry.key] = str((folder / said).resolve())
    return found


def _spaces(application: located.Value) -> list[str]:
    bindings = application.get('bindings') if isinstance(application, located.Mapping) else None
    entries = bindings.entries if isinstance(bindings, located.Mapping) else ()
    values = [one.value.value for one in entries if isinstance(one.value, located.Scalar)]
    return [one for one in values if isinstance(one, str)]


def _is_spell(metadata: pathlib.Path) -> bool:
    try:
        document = located.load(metadata.read_text(encoding='utf-8'), str(metadata))
    except (OSError, UnicodeDecodeError, problem.RefusedError):
        return False
    return isinstance(document, located.Mapping) and document.get('friendly-name') is not None


def _refused(path: pathlib.Path, message: str) -> problem.RefusedError:
    return problem.RefusedError([problem.Problem(problem.Where(str(path), 1), message)])
