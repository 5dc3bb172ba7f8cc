"""``make mutants``: change the deciding modules in one place at a time, and see whether a test notices.

mutmut makes the mutants and runs, for each, the tests that call the changed function; here is what this tree needs
around it: several ``src`` folders, a choice of modules, samples, a threshold. Why mutmut: docs/adr/0016-mutmut.md.
It works in a copy below ``build/mutants``; a run that was cut off goes on where it was.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fnmatch
import json
import multiprocessing
import os
import pathlib
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import mutation

ROOT = pathlib.Path(__file__).resolve().parent.parent
WORK = ROOT / 'build' / 'mutants'
ARGUED = ROOT / 'docs' / 'mutants.md'
THRESHOLD = 0.85
CORES = os.cpu_count() or 1


@dataclasses.dataclass(frozen=True)
class Group:
    """Modules that are tested together: the folder that they and their tests are in, and patterns of paths there."""

    folder: str
    modules: tuple[str, ...]
    tests: tuple[str, ...] = ('tests/unit',)
    ignore: tuple[str, ...] = ()
    """Tests that need the tree as it is, or that run programs of it."""


def deciding(package: str, pyproject: str) -> tuple[str, ...]:
    """Patterns of the modules of *package* that touch nothing, as import-linter's contract in *pyproject* has them.

    Raises:
        LookupError: when there is no such contract.
    """
    contracts = tomllib.loads(pyproject)['tool']['importlinter']['contracts']
    named = [c for c in contracts if c['name'].startswith(f'{package}: what decides')]
    if not named:
        raise LookupError(f'pyproject.toml has no contract of what decides in {package}')
    found: list[str] = []
    for module in named[0]['source_modules']:
        path = f'src/{module.replace(".", "/")}'
        is_package = (ROOT / package / path).is_dir()
        found.append(f'{path}/*.py' if is_package else f'{path}.py')
    return tuple(found)


GROUPS = {
    'judge': Group(
        'matrix',
        ('src/matrix/judge/*.py',),
        tuple(
            f'tests/unit/test_{name}.py'
            for name in (
                'checks',
                'checks_of_others',
                'false_passes',
                'gate',
                'linear',
                'panel',
                'probes',
                'resources',
                'thresholds',
                'verdicts',
                'verdicts_of_keeping',
                'verdicts_of_load',
                'warmup',
            )
        ),
    ),
    'core': Group(
        'jujulet',
        ('src/jujulet/core/*.py',),
        ('tests/unit/core', 'tests/unit/hooktools', 'tests/unit/bundle', 'tests/unit/cli'),
        ignore=('test_any_course.py',),  # It goes another way each time.
    ),
    'charmkit': Group('charmkit', deciding('charmkit', (ROOT / 'pyproject.toml').read_text())),
    'keystone': Group(
        'charms/keystone',
        tuple(
            f'src/{name}.py'
            for name in (
                'accounts',
                'cache',
                'catalogue',
                'compliance',
                'domains',
                'endpoints',
                'identity',
                'keys',
                'plan',
                'registration',
                'renewal',
                'request_ledger',
                'settings',
                'shared_regions',
            )
        ),
    ),
    'mysql': Group(
        'charms/mysql',
        tuple(
            f'src/{name}.py'
            for name in ('cluster_run', 'galera', 'generations', 'grants', 'tcp_service')
        ),
    ),
    'rabbitmq': Group(
        'charms/rabbitmq-server',
        tuple(
            f'src/{name}.py'
            for name in ('amqp_users', 'membership', 'node', 'rabbit_actions', 'rabbit_run')
        ),
    ),
    'balancer': Group(
        'charms/openstack-loadbalancer',
        ('src/balancer/*.py',),
        ignore=('test_handshake_machine.py', 'test_fuzz.py'),
    ),
    'glance': Group('charms/glance', ('src/image_service.py',)),
    'lifecycle': Group('lifecycle', deciding('lifecycle', (ROOT / 'pyproject.toml').read_text())),
}


def main(argv: list[str]) -> int:
    """Run one group, or all. Exit code 0: each kills its share; 1: one does not; 2: it could not be run."""
    asked = _arguments().parse_args(argv)
    known = mutation.argued(ARGUED.read_text()) if ARGUED.exists() else {}
    bad: list[str] = []
    for name in asked.group or GROUPS:
        group = GROUPS[name]
        if asked.tests:
            group = dataclasses.replace(group, tests=tuple(asked.tests))
        results = run(name, group, asked)
        text = '\n'.join(mutation.report(results, known))
        (WORK / f'{name}.txt').write_text(text + '\n')
        print(f'\n{name}\n{text}', flush=True)
        rate = mutation.score(results.values()).rate
        if rate < asked.threshold:
            bad.append(f'{name} kills {rate:.1%} of its mutants, {asked.threshold:.0%} are wanted')
    for line in bad:
        print(f'ERROR {line}: see {WORK.relative_to(ROOT)}', file=sys.stderr)
    return 1 if bad else 0


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='make mutants', description=__doc__)
    parser.add_argument('group', nargs='*', choices=[[], *GROUPS], help='all, unless named')
    parser.add_argument(
        '--module', default='*', help='a pattern of modules, as matrix.judge.safety'
    )
    parser.add_argument('--sample', type=int, default=0, help='this many mutants, not all')
    parser.add_argument('--seed', type=int, default=0, help='which sample')
    parser.add_argument('--again', action='store_true', help='run what survived or hung once more')
    parser.add_argument('--show', action='store_true', help='say what is known, and run nothing')
    parser.add_argument(
        '--tests',
        action='append',
        help='a file of tests in the folder of the group, not all of them: for a quick look',
    )
    parser.add_argument(
        '--few', action='store_true', help='as few examples as `make check` has, not as in CI'
    )
    parser.add_argument('--jobs', type=int, default=CORES, help='this many processes at once')
    parser.add_argument(
        '--threshold', type=float, default=THRESHOLD, help='the share to be killed'
    )
    return parser


def run(name: str, group: Group, asked: argparse.Namespace) -> Mapping[mutation.Mutant, str]:
    """The mutants that were chosen and what came of each. Raises SystemExit(2) when mutmut cannot run."""
    folder = WORK / name / group.folder
    if not asked.show:
        copy(group, WORK / name)
        _inside(folder, lambda: _generate(asked.jobs))
    metas = sorted((folder / 'mutants').rglob('*.py.meta'))
    wanted = [m for m in metas if fnmatch.fnmatchcase(_module(m, folder), asked.module)]
    every = [one for meta in wanted for one in _mutants(meta, folder)]
    chosen = [one for one in every if not mutation.says_nothing(one)]
    if asked.sample:
        chosen = [*mutation.sample(chosen, asked.sample, asked.seed)]
    if not asked.show:
        _run(name, folder, metas, chosen, asked)
    codes = _codes(metas)
    return {one: mutation.outcome(codes.get(one.name)) for one in chosen}


def _run(
    name: str,
    folder: pathlib.Path,
    metas: Iterable[pathlib.Path],
    chosen: Sequence[mutation.Mutant],
    asked: argparse.Namespace,
) -> None:
    """Have mutmut run what is chosen and not known yet.

    It is given them by name, and runs no other. When the way that tests are run has changed, it forgets what it knew
    of all of them, and runs those that were named: those that it knew before are named the second time.
    """
    log = WORK / f'{name}.log'
    for again in (asked.again, False):
        waiting = mutation.waiting(chosen, _codes(metas), again=again)
        if not waiting:
            return
        print(f'{name}: {len(waiting)} mutants to run', flush=True)
        command = [sys.executable, '-m', 'mutmut', 'run', '--max-children', str(asked.jobs)]
        with log.open('w') as out:
            code = subprocess.run(
                [*command, *waiting],
                cwd=folder,
                stdout=out,
                stderr=out,
                env=_environment(WORK / name, few=asked.few),
                check=False,
            ).returncode
        if code:
            tail = log.read_text(errors='replace').replace('\r', '\n')[-3000:]
            print(f'{tail}\nERROR mutmut ended with {code}: see {log}', file=sys.stderr)
            raise SystemExit(2)


def copy(group: Group, to: pathlib.Path) -> None:
    """Make *to* a copy of what git knows of this tree, and tell mutmut of the group there."""
    listed = subprocess.run(
        ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
        cwd=ROOT, stdout=subprocess.PIPE, check=True,
    ).stdout  # fmt: skip
    wanted = {name for name in os.fsdecode(listed).split('\0') if name}
    for name in wanted:
        source, target = ROOT / name, to / name
        if source.is_file() and not (target.exists() and _alike(source, target)):
            target.parent.mkdir(parents=True, exist_ok=True)
            # As of now: mutmut changes anew what is newer than its own.
            shutil.copy(source, target)
    for path in [*to.rglob('*.py')]:
        if 'mutants' not in path.relative_to(to).parts and str(path.relative_to(to)) not in wanted:
            path.unlink()
    folder = to / group.folder
    shutil.rmtree(folder / 'mutants' / 'tests', ignore_errors=True)
    _link(to, to / pathlib.PurePath(group.folder).parts[0])
    lines = {
        'source_paths': ['src'] if group.folder.startswith('charms') else _packages(folder),
        'only_mutate': group.modules,
        'also_copy': [
            p.name
            for p in folder.iterdir()
            if not p.is_symlink() and p.name not in ('src', 'mutants')
        ],
        'pytest_add_cli_args': [
            '-m',
            'not slow',
            # Some of the tests use some of the goldens: no failure, nor a mutant that was noticed.
            '--snapshot-warn-unused',
            *(f'--ignore-glob=*{one}' for one in group.ignore),
        ],
        'pytest_add_cli_args_test_selection': group.tests,
        'timeout_multiplier': ['5'],
        'timeout_constant': ['5'],
    }
    text = '\n'.join('\n  '.join([f'{key} =', *values]) for key, values in lines.items())
    (folder / 'setup.cfg').write_text(f'[mutmut]\n{text}\n')


def _link(root: pathlib.Path, deeper: pathlib.Path) -> None:
    """As mutmut runs the tests one folder deeper, put there what they look up from where they are."""
    for entry in root.iterdir():
        link = deeper / entry.name
        if not link.exists():
            link.symlink_to(entry)


def _alike(source: pathlib.Path, target: pathlib.Path) -> bool:
    return source.read_bytes() == target.read_bytes()


def _packages(folder: pathlib.Path) -> list[str]:
    return [f'src/{p.name}' for p in (folder / 'src').iterdir() if p.is_dir()]


def _environment(copied: pathlib.Path, *, few: bool) -> dict[str, str]:
    own = {
        'HYPOTHESIS_STORAGE_DIRECTORY': str(WORK / 'hypothesis'),
        'CI': '' if few else 'true',  # As many examples as there.
        'TEST_LIMITS': 'off',  # A test that is slow has noticed nothing; mutmut ends what hangs.
        'PYTHONDONTWRITEBYTECODE': '',  # Each mutant is a new collection of its tests.
        # What tests of several folders share, and the other parts, are imported from there.
        'PYTHONPATH': os.pathsep.join(map(str, (copied, *sorted(copied.glob('*/src'))))),
    }
    return {**os.environ, **own}


def _inside(folder: pathlib.Path, do: object) -> None:
    """Do it in a process whose working folder is *folder*: mutmut knows no other way."""
    process = multiprocessing.get_context('fork').Process(target=_at, args=(folder, do))
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(2)


def _at(folder: pathlib.Path, do: object) -> None:
    os.chdir(folder)
    if callable(do):
        do()


def _generate(jobs: int) -> None:
    from mutmut import __main__ as mutmut
    from mutmut.utils import file_utils

    (pathlib.Path('mutants')).mkdir(exist_ok=True)
    with open(os.devnull, 'w') as nowhere, contextlib.redirect_stdout(nowhere):
        file_utils.copy_src_dir()
        file_utils.copy_also_copy_files()
        mutmut.create_mutants(jobs)


def _module(meta: pathlib.Path, folder: pathlib.Path) -> str:
    path = meta.with_suffix('')
    parts = path.relative_to(folder / 'mutants' / 'src').with_suffix('').parts
    return '.'.join(part for part in parts if part != '__init__')


def _mutants(meta: pathlib.Path, folder: pathlib.Path) -> Iterator[mutation.Mutant]:
    path, module = meta.with_suffix(''), _module(meta, folder)
    known = json.loads(meta.read_text())['exit_code_by_key']
    return (one for one in mutation.mutants(module, path.read_text()) if one.name in known)


def _codes(metas: Iterable[pathlib.Path]) -> dict[str, int | None]:
    return {
        name: code
        for meta in metas
        for name, code in json.loads(meta.read_text())['exit_code_by_key'].items()
    }


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
