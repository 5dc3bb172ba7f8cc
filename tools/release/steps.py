"""The steps of a release: what each makes, from what, and how it is known that it was made."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import pathlib
import re
import shutil
import sys
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, cast

import yaml

from tools.release import notes, pages, pinned, sbom, version
from tools.release.work import FailedError, made, run

PARTS = ('charmkit', 'jujulet', 'lifecycle', 'matrix')
RELEASES = 'tools/release/releases.yaml'
_BIN = pathlib.Path(sys.executable).parent


@dataclasses.dataclass(frozen=True)
class Release:
    """One release being made from one commit.

    `root` is the repository, `folder` where all of it is made: `tree` (a clone with the release's commit), `out`
    (what is published), `done` (a file for each step that is over). `key` signs; None: nothing is signed.
    """

    version: version.Version
    root: pathlib.Path
    folder: pathlib.Path
    key: pathlib.Path | None = None
    charms: tuple[str, ...] = ()

    @property
    def tree(self) -> pathlib.Path:
        """The clone."""
        return self.folder / 'tree'

    @property
    def out(self) -> pathlib.Path:
        """What is published."""
        return self.folder / 'out'


@dataclasses.dataclass(frozen=True)
class Step:
    """One step. `does` returns a sentence; done again it does the same. `always`: it is not remembered."""

    name: str
    words: str
    does: Callable[[Release], str]
    always: bool = False


def released(text: str) -> tuple[version.Version, tuple[version.Version, ...]]:
    """The next release and those that there were, from releases.yaml."""
    said = cast('dict[str, Any]', yaml.safe_load(text))
    return version.read(str(said['next'])), tuple(version.read(str(one)) for one in said['made'])


def check(of: Release) -> str:
    """What is released is a commit, and the next version."""
    if run(['git', 'status', '--porcelain'], of.root).strip():
        raise FailedError(
            'the working tree has changes that are in no commit: commit or stash them first'
        )
    following, there = released((of.root / RELEASES).read_text())
    if of.version in there or of.version < following:
        raise FailedError(
            f'{of.version} was released or is passed; the next is {following} ({RELEASES})'
        )
    if run(['git', 'tag', '--list', str(of.version)], of.root).strip():
        raise FailedError(f'there is a tag {of.version} already')
    return (
        f'{of.version} of commit {run(["git", "rev-parse", "--short", "HEAD"], of.root).strip()}'
    )


def tree(of: Release) -> str:
    """A clone with the release's own commit: versions, CHANGES.md, pages. The working tree is not touched."""
    day = of.version.day
    with made(of.tree) as clone:
        run(['git', 'clone', '--quiet', '--no-hardlinks', str(of.root), str(clone)], of.root)
        when = run(['git', 'log', '-1', '--format=%cI'], clone).strip()
        for part in PARTS:
            path = clone / part / 'pyproject.toml'
            path.write_text(_versioned(path.read_text(), str(of.version)))
        changes = clone / 'CHANGES.md'
        try:
            changes.write_text(
                notes.merged(changes.read_text(), _drafted(of, clone), str(of.version), day)
            )
        except ValueError as error:
            raise FailedError(f'{error}') from error
        _, before = released((clone / RELEASES).read_text())
        _moved_on(clone / RELEASES, of.version, before)
        for path, text in written(clone).items():
            (clone / path).parent.mkdir(parents=True, exist_ok=True)
            (clone / path).write_text(text)
        run(['git', 'add', '--all'], clone)
        who = [
            '-c',
            'user.name=Rambla',
            '-c',
            'user.email=release@rambla.invalid',
            '-c',
            'commit.gpgsign=false',
        ]
        said = ['commit', '--quiet', '--no-verify', '-m', f'release: {of.version}']
        run(['git', *who, *said], clone, GIT_AUTHOR_DATE=when, GIT_COMMITTER_DATE=when)
    return (
        f'commit {run(["git", "rev-parse", "--short", "HEAD"], of.tree).strip()} in {of.tree.name}'
    )


def _versioned(text: str, to: str) -> str:
    return re.sub(r'^version = ".*"$', f'version = "{to}"', text, count=1, flags=re.MULTILINE)


def _drafted(of: Release, clone: pathlib.Path) -> str:
    """What towncrier makes of the fragments; '' where there are none. The fragments are gone from the clone then."""
    fragments = [one for one in (clone / 'changes').glob('*.md') if one.name != 'README.md']
    if not fragments:
        return ''
    words = [
        str(_BIN / 'towncrier'),
        'build',
        '--draft',
        '--version',
        str(of.version),
        '--date',
        of.version.day.isoformat(),
    ]
    text = run(words, clone)
    for one in fragments:
        one.unlink()
    return text


def _moved_on(
    path: pathlib.Path, done: version.Version, before: tuple[version.Version, ...]
) -> None:
    comment = [line for line in path.read_text().splitlines() if line.startswith('#')]
    every = ', '.join(f"'{one}'" for one in (*before, done))
    path.write_text('\n'.join((*comment, f"next: '{done.following}'", f'made: [{every}]', '')))


def written(root: pathlib.Path) -> dict[str, str]:
    """The generated pages of releases, by their paths."""
    following, there = released((root / RELEASES).read_text())
    declared = {
        path.parent.name: cast('Mapping[str, Any]', yaml.safe_load(path.read_text()))
        for path in sorted(root.glob('charms/*/lifecycle.yaml'))
    }
    bases: dict[str, str] = {}
    for said in declared.values():
        # Those of OpenStack's own services: the others count by their programs' versions.
        if all(str(one).isalpha() for one in said['releases'].values()):
            bases.update({str(base): str(name) for base, name in said['releases'].items()})
    bases = dict(sorted(bases.items()))
    return {
        'docs/reference/calendar.md': pages.calendar(following),
        'docs/reference/support.md': pages.support(there, following, declared, bases),
    }


def _epoch(of: Release) -> str:
    return run(['git', 'log', '-1', '--format=%ct'], of.tree).strip()


def _own(of: Release) -> str:
    """What is run is what is released, whatever else is installed."""
    return os.pathsep.join(str(of.tree / part / 'src') for part in PARTS)


def wheels(of: Release) -> str:
    """Wheels and source distributions, of bytes that depend on the commit alone."""
    with made(of.out / 'python') as aside:
        for part in PARTS:
            words = [
                str(_BIN / 'uv'),
                'build',
                '--quiet',
                '--no-create-gitignore',
                '--out-dir',
                str(aside),
                part,
            ]
            run(words, of.tree, SOURCE_DATE_EPOCH=_epoch(of))
        return f'{len([*aside.glob("*.whl")])} wheels and {len([*aside.glob("*.tar.gz")])} sdists'


def charms(of: Release) -> str:
    """Every charm packed for every base that it names, with its revision."""
    names = of.charms or tuple(
        one.parent.name for one in sorted(of.tree.glob('charms/*/charmcraft.yaml'))
    )
    with made(of.out / 'charms') as aside:
        found: dict[str, dict[str, Any]] = {}
        for name in names:
            bases = [
                *yaml.safe_load((of.tree / 'charms' / name / 'lifecycle.yaml').read_text())[
                    'releases'
                ]
            ]
            words = [
                str(_BIN / 'jujulet'),
                'pack',
                f'charms/{name}',
                '-o',
                str(aside),
                '--base',
                ','.join(bases),
            ]
            run(words, of.tree, SOURCE_DATE_EPOCH=_epoch(of), PYTHONPATH=_own(of))
            (packed,) = aside.glob(f'{name}_*.charm')
            # Its number grows with each commit that it, or the library that is packed into it, is changed by.
            count = run(
                ['git', 'rev-list', '--count', 'HEAD', '--', f'charms/{name}', 'charmkit'], of.tree
            )
            found[name] = {
                'file': packed.name, 'bases': bases, 'revision': int(count), 'sha256': _digest(packed),
            }  # fmt: skip
        (aside / 'charms.json').write_text(json.dumps(found, indent=2, sort_keys=True) + '\n')
    return f'{len(found)} charms'


def _digest(path: pathlib.Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()


def _packed(of: Release) -> dict[str, dict[str, Any]]:
    return json.loads((of.out / 'charms/charms.json').read_text())


def sboms(of: Release) -> str:
    """What each packed charm is made of, validated against CycloneDX's schema."""
    with made(of.out / 'sbom') as aside:
        for name, said in _packed(of).items():
            text = sbom_of(of.out / 'charms' / said['file'], name, str(of.version))
            if wrong := invalid(text):
                raise FailedError(f'the SBOM of {name} is not valid: {wrong}')
            (aside / f'{name}.cdx.json').write_text(text)
        return f'{len([*aside.iterdir()])} SBOMs'


def sbom_of(packed: pathlib.Path, name: str, to: str) -> str:
    """The SBOM of a packed charm."""
    with zipfile.ZipFile(packed) as archive:
        texts = [archive.read(one).decode() for one in archive.namelist() if sbom.is_metadata(one)]
    some = [one for one in map(sbom.package, texts) if one is not None]
    return sbom.document(name, to, _digest(packed), some, {'charmkit': to})


def invalid(text: str) -> str:
    """Why a text is no CycloneDX 1.6; '' when it is."""
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    found = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    return '' if found is None else str(found)[:500]


def bundles(of: Release) -> str:
    """The bundles with each charm by its revision."""
    revisions = {name: int(said['revision']) for name, said in _packed(of).items()}
    with made(of.out / 'bundles') as aside:
        for path in sorted((of.tree / 'bundles').glob('*.yaml')):
            text = path.read_text()
            if 'charm: ../charms/' not in text:
                continue
            try:
                (aside / path.name).write_text(
                    pinned.text(text, revisions, f'{of.version}/stable')
                )
            except ValueError as error:
                if not of.charms:
                    raise FailedError(f'{path.name}: {error}') from error
        shutil.copy(of.tree / 'bundles/spaces.yaml', aside / 'spaces.yaml')
        return f'{len([*aside.iterdir()])} files'


def documents(of: Release) -> str:
    """The notes of this release, what is supported, and the calendar."""
    with made(of.out / 'documents') as aside:
        text = notes.of_release((of.tree / 'CHANGES.md').read_text(), str(of.version))
        (aside / 'notes.md').write_text(text)
        for name in ('support', 'calendar'):
            shutil.copy(of.tree / f'docs/reference/{name}.md', aside / f'{name}.md')
        return f'{len(text.splitlines())} lines of notes'


def ecosystem(of: Release) -> str:
    """Bundles of others are no worse with these charms."""
    out = of.folder / 'ecosystem'
    words = ['-m', 'tools.ecosystem', 'run', str(of.out / 'charms'), '-o', str(out)]
    run([sys.executable, *words], of.tree, PYTHONPATH=_own(of))
    return 'none is worse'


def upgrade(of: Release) -> str:
    """A cloud of the last release is upgraded to this one, under load."""
    _, there = released((of.root / RELEASES).read_text())
    if not there:
        return 'there is no earlier release'
    words = [
        sys.executable,
        '-m',
        'pytest',
        '-q',
        'tests/integration/test_release_upgrade.py',
        '-m',
        '',
    ]
    old = of.folder / 'from'
    if not old.exists():
        run(
            ['git', 'clone', '--quiet', '--branch', str(there[-1]), str(of.root), str(old)],
            of.root,
        )
    run(words, of.tree, UPGRADE_FROM=str(old), PYTHONPATH=_own(of))
    return f'from {there[-1]}'


def checksums(of: Release) -> str:
    """SHA256SUMS of all that is published, and its signature."""
    sums, signature = of.out / 'SHA256SUMS', of.out / 'SHA256SUMS.sig'
    signature.unlink(missing_ok=True)
    files = sorted(one for one in of.out.rglob('*') if one.is_file() and one != sums)
    lines = [f'{_digest(one)}  {one.relative_to(of.out)}\n' for one in files]
    aside = of.folder / '.SHA256SUMS'
    aside.write_text(''.join(lines))
    aside.replace(sums)
    if of.key is None:
        return f'{len(lines)} files, not signed: no key was given'
    run(
        ['ssh-keygen', '-Y', 'sign', '-q', '-n', 'rambla-release', '-f', str(of.key), str(sums)],
        of.out,
    )
    return f'{len(lines)} files, signed'


def tag(of: Release) -> str:
    """The release's commit and its tag come into the repository; nothing else there changes."""
    if of.key is None:
        raise FailedError('a release is signed: name a key, KEY=~/.ssh/id_ed25519')
    head = run(['git', 'rev-parse', 'HEAD'], of.tree).strip()
    who = ['-c', 'user.name=Rambla', '-c', 'user.email=release@rambla.invalid']
    sign = ['-c', 'gpg.format=ssh', '-c', f'user.signingkey={of.key}']
    run(['git', 'fetch', '--quiet', str(of.tree), head], of.root)
    run(
        ['git', *who, *sign, 'tag', '-s', '-m', f'Rambla {of.version}', str(of.version), head],
        of.root,
    )
    return f'tag {of.version}; to publish it: git push origin {of.version}'


STEPS = (
    Step('check', 'what is released is a commit and the next version', check, always=True),
    Step('tree', "a clone with the release's commit", tree),
    Step('wheels', 'wheels and sdists', wheels),
    Step('charms', 'every charm, packed for every base', charms),
    Step('sboms', 'what each charm is made of', sboms),
    Step('bundles', 'bundles that name revisions', bundles),
    Step('documents', 'notes, support, calendar', documents),
    Step('ecosystem', "others' bundles with these charms", ecosystem),
    Step('upgrade', 'a cloud of the last release is upgraded', upgrade),
    Step('checksums', 'checksums, signed', checksums, always=True),
)
TAG = Step('tag', 'the tag', tag, always=True)
