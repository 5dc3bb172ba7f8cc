"""zaza's tests.yaml as a suite of matrix, and what of it has no place there. Reads text, touches no file.

Its functions and classes keep running: through zaza's own commands `functest-configure` and `functest-test`, as tasks
of the suite. The keys are those of zaza's `charm_lifecycle`
(zaza/charm_lifecycle/utils.py).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import yaml

from matrix.grammar import located, problem

_BUNDLES = ('gate_bundles', 'smoke_bundles', 'dev_bundles')
_DEFAULT = 'default_alias'

# Why a key has no place in a suite.
_LEFT = {
    'before_deploy': 'what ran before the deployment has no place: do it before `juju matrix`',
    'configure_options': 'options of zaza stay in tests.yaml, where functest-configure reads them',
    'tests_options': 'options of zaza stay in tests.yaml, where functest-test reads them',
    'target_deploy_status': 'health waits for `active`, whatever the message; no other target is known',
    'plugins': 'plugins of zaza are not loaded',
    'zaza-events': 'the journal of the run holds events; zaza-events is not collected',
}


@dataclasses.dataclass(frozen=True)
class Imported:
    """Files for a bundle's `tests/`, the bundles that they were for, and what was left behind, each with its line."""

    matrix_yaml: str
    test_yaml: str
    zaza_py: str
    bundles: tuple[str, ...]
    left: tuple[problem.Problem, ...]


def read(text: str, source: str) -> Imported:
    """What a tests.yaml comes to here.

    Raises:
        problem.RefusedError: it is not YAML, or not a tests.yaml.
    """
    document = located.load(text, source)
    if not isinstance(document, located.Mapping):
        message = f"zaza's tests.yaml is a mapping, this is {located.kind(document)}"
        raise problem.RefusedError([problem.Problem(document.where, message)])
    reading = _Reading()
    charm = document.get('charm_name')
    name = str(charm.value) if isinstance(charm, located.Scalar) and charm.value else 'bundle'
    functions = list(reading.dotted(document.get('configure')))
    classes = list(reading.dotted(document.get('tests')))
    bundles = [one for key in _BUNDLES for one in reading.bundles(document.get(key))]
    for entry in document.entries:
        reading.rest(entry)
    if not classes:
        reading.drop_part(document.where, 'it has no tests')
    return Imported(
        matrix_yaml=_suite(name, source, functions, classes),
        test_yaml=yaml.safe_dump({'matrix': {'model_prefix': f'zaza-{name}'}}, sort_keys=False),
        zaza_py=_TASKS,
        bundles=tuple(dict.fromkeys(bundles)),
        left=tuple(sorted(reading.left, key=lambda one: one.where.line)),
    )


@dataclasses.dataclass
class _Reading:
    left: list[problem.Problem] = dataclasses.field(default_factory=list[problem.Problem])

    def drop_part(self, where: problem.Where, message: str) -> None:
        self.left.append(problem.Problem(where, message, 'warning'))

    def dotted(self, value: located.Value | None) -> Iterator[str]:
        """Dotted names; a group of them may stand under the alias of a model."""
        match value:
            case located.Scalar(value=str(name)):
                yield name
            case located.Sequence():
                for item in value.items:
                    yield from self.dotted(item)
            case located.Mapping():
                for entry in value.entries:
                    if entry.key == _DEFAULT or len(value.entries) == 1:
                        yield from self.dotted(entry.value)
                    else:
                        self.drop_part(
                            entry.where, f'for the model {entry.key!r}: a test here has one model'
                        )
            case None | located.Scalar(value=None):
                return
            case _:
                self.drop_part(value.where, f'{located.kind(value)} is not a dotted name')

    def bundles(self, value: located.Value | None) -> Iterator[str]:
        """Names of bundles: plain, under an alias, several at once, or with an environment."""
        match value:
            case located.Scalar(value=str(name)):
                yield name
            case located.Sequence():
                for item in value.items:
                    yield from self.bundles(item)
            case located.Mapping():
                if len(value.entries) > 1:
                    said = 'these bundles are for several models at once: a test here has one'
                    self.drop_part(value.where, said)
                for entry in value.entries:
                    yield from self.bundles(entry.value)
            case _:
                return

    def rest(self, entry: located.Entry) -> None:
        if entry.key in _LEFT:
            self.drop_part(entry.where, f'{entry.key}: {_LEFT[entry.key]}')
            return
        if entry.key not in ('charm_name', 'configure', 'tests', *_BUNDLES):
            known = (*_LEFT, *_BUNDLES, 'charm_name', 'configure', 'tests')
            near = problem.suggestion(entry.key, known)
            self.drop_part(entry.where, f'{entry.key}: not known here{near}')


def _suite(name: str, source: str, functions: list[str], classes: list[str]) -> str:
    health = 'health.status.healthy'
    rules: list[dict[str, object]] = [
        {'do': 'matrix.tasks.deploy'},
        {'do': 'matrix.tasks.health', 'after': 'deploy', 'periodic': 5, 'until': health},
    ]
    ready = health
    if functions:
        rules.append({'do': {'task': 'tests.zaza.configure', 'names': functions}, 'after': ready})
        ready = 'configure'
    if classes:
        rules.append({'do': {'task': 'tests.zaza.test', 'names': classes}, 'after': ready})
    what = f'What zaza ran for {name}.'
    document = {'tests': [{'name': 'zaza', 'description': what, 'rules': rules}]}
    head = f'# Made from {source.rpartition("/")[2]}; the default suite runs beside it.\n'
    return head + yaml.safe_dump(document, sort_keys=False, width=100)


_TASKS = '''\
"""Runs what tests.yaml names, through zaza's own commands, which must be on the PATH."""

import asyncio
import pathlib

from matrix.model import TestFailure


async def configure(context, rule, task, event=None):
    return await _run(context, rule, task, 'functest-configure', '-c')


async def test(context, rule, task, event=None):
    return await _run(context, rule, task, 'functest-test', '-t')


async def _run(context, rule, task, command, flag):
    for name in task.args['names']:
        process = await asyncio.create_subprocess_exec(
            command, '-m', context.juju_model.info.name, flag, name,
            cwd=pathlib.Path(__file__).parent.parent,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        rule.log.info('%s %s: exit code %s', command, name, process.returncode)
        if process.returncode:
            last = output.decode(errors='replace').strip().splitlines()[-1:]
            raise TestFailure(task, f'{name}: {" ".join(last)}')
    return True
'''
