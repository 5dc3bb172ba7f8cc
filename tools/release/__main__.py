"""Make a release: `python -m tools.release 27.02` (`make release VERSION=27.02`).

Everything is made in build/release/VERSION, from a clone of what is committed; neither the working tree nor the branch
is touched. Without --tag nothing is tagged: that is a rehearsal (`make release-check`). Each step that is over is not
done again while the commit is the same; one that fails leaves nothing half done, and the same command goes on there.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import shutil
import sys
from collections.abc import Sequence

from tools.release import steps, version

ROOT = pathlib.Path(__file__).parents[2]


def main(argv: Sequence[str] | None = None) -> int:
    """Make it; exit code 0 done, 1 a step failed, 2 what was asked was not understood."""
    parser = argparse.ArgumentParser(prog='tools.release', description=__doc__)
    parser.add_argument('version', nargs='?', help='YY.MM, such as 27.02; without it, the next')
    parser.add_argument('--tag', action='store_true', help='really tag it; needs --key')
    parser.add_argument(
        '--key', type=pathlib.Path, help='the SSH key that signs checksums and tag'
    )
    parser.add_argument(
        '--without',
        action='append',
        default=[],
        metavar='STEP',
        help='leave a step out; never with --tag',
    )
    parser.add_argument(
        '--charm', action='append', default=[], help='only these charms; never with --tag'
    )
    parser.add_argument(
        '--again', action='store_true', help='forget what was made of this version'
    )
    parser.add_argument(
        '--pages', action='store_true', help='write the pages of releases, and nothing else'
    )
    parser.add_argument('--root', type=pathlib.Path, default=ROOT, help=argparse.SUPPRESS)
    call = parser.parse_args(argv)
    if call.pages:
        for path, text in steps.written(call.root).items():
            (call.root / path).write_text(text)
        return 0
    try:
        of = _asked(call)
    except ValueError as error:
        print(f'ERROR {error}', file=sys.stderr)
        return 2
    return make(of, tuple(call.without), tagged=call.tag)


def _asked(call: argparse.Namespace) -> steps.Release:
    following, _ = steps.released((call.root / steps.RELEASES).read_text())
    number = version.read(call.version) if call.version else following
    known = [one.name for one in steps.STEPS]
    for name in call.without:
        if name not in known:
            raise ValueError(f'there is no step {name!r}: they are {", ".join(known)}')
    if call.tag and (call.without or call.charm):
        raise ValueError(
            'what is tagged is the whole release: --tag goes with neither --without nor --charm'
        )
    if call.tag and call.key is None:
        raise ValueError(
            'a release is signed: name a key, --key ~/.ssh/id_ed25519 (make release … KEY=…)'
        )
    key: pathlib.Path | None = call.key
    if key is not None:
        key = key.expanduser().resolve()
        if not key.is_file():
            raise ValueError(f'there is no key {key}')
    folder = call.root / 'build/release' / str(number)
    if call.again:
        shutil.rmtree(folder, ignore_errors=True)
    return steps.Release(number, call.root, folder, key, tuple(call.charm))


def make(of: steps.Release, without: Sequence[str], *, tagged: bool) -> int:
    """Do every step that is not done; the exit code."""
    stamp = ''
    for step in (*steps.STEPS, *([steps.TAG] if tagged else [])):
        if step.name in without:
            print(f'{step.name:10} left out')
            continue
        done = of.folder / 'done' / step.name
        if not step.always and done.is_file() and done.read_text().partition('\n')[0] == stamp:
            print(f'{step.name:10} {done.read_text().partition(chr(10))[2].strip()} (done before)')
            continue
        try:
            said = step.does(of)
        except steps.FailedError as error:
            print(f'ERROR {step.name}: {error}', file=sys.stderr)
            return 1
        except OSError as error:
            print(f'ERROR {step.name}: {error}', file=sys.stderr)
            return 1
        if step.name == 'check':
            stamp = _stamp(of)
            if _of_another(of, stamp):
                shutil.rmtree(of.folder)
        else:
            done.parent.mkdir(parents=True, exist_ok=True)
            aside = done.with_name(f'.{step.name}')
            aside.write_text(f'{stamp}\n{said}\n')
            aside.replace(done)
        print(f'{step.name:10} {said}', flush=True)
    where = os.path.relpath(of.out)
    print(f'{where}: all of {of.version}' + ('' if tagged else '; nothing was tagged'))
    return 0


def _stamp(of: steps.Release) -> str:
    """What all steps stand on: the commit, and which charms."""
    commit = steps.run(['git', 'rev-parse', 'HEAD'], of.root).strip()
    return ' '.join((commit, *of.charms))


def _of_another(of: steps.Release, stamp: str) -> bool:
    """Whether the folder has steps of another commit."""
    found = {
        one.read_text().partition('\n')[0]
        for one in (of.folder / 'done').glob('[a-z]*')
        if one.is_file()
    }
    return bool(found - {stamp})


if __name__ == '__main__':
    sys.exit(main())
