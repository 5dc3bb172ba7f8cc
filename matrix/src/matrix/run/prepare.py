"""Everything that a run needs to know before anything happens: each error is reported, with its file and line."""

from __future__ import annotations

import dataclasses
import importlib.resources
import os
import pathlib

from matrix import model, utils
from matrix.faults import fault, find
from matrix.grammar import catalogue, fields, located, problem, suite, suitefile
from matrix.judge import checks, expect, others
from matrix.load import accounts, database, spec, sqlspec
from matrix.run import bundlefile, inspection, options
from matrix.tasks import bundlecode, planning

OWN = 'matrix.yaml'


@dataclasses.dataclass(frozen=True)
class Prepared:
    """A run that may begin. `extra` is what the bundle's tests/test.yaml says beside `matrix`."""

    options: options.Options
    bundle: bundlefile.Bundle
    suite: suite.Suite
    faults: dict[str, fault.Fault]
    checks: dict[str, checks.Check]
    seed: int
    ha: bool
    extra: located.Mapping | None = None
    warnings: tuple[problem.Problem, ...] = ()

    def said(self, key: str) -> located.Value | None:
        """What tests/test.yaml says under a key."""
        return None if self.extra is None else self.extra.get(key)


def prepare(
    asked: options.Options,
    bundle: bundlefile.Bundle,
    extra: located.Mapping | None,
    seed: int,
) -> Prepared:
    """Read and check suites, plans and faults.

    Raises:
        problem.RefusedError: with every problem of the first kind that is found.
    """
    known = find.faults(bundle.folder)
    own = others.find(bundle.folder)
    chosen = suite.select(_suites(asked, bundle), asked.test_pattern)
    if asked.with_chaos:
        chosen = suite.Suite(tuple(test for test in chosen.tests if has_chaos(test)))
    if not chosen.tests:
        said = ', '.join(asked.test_pattern)
        kind = ' with chaos' if asked.with_chaos else ''
        message = f'no test{kind} is called {said}' if said else f'there is no test{kind} to run'
        raise problem.RefusedError([problem.Problem(problem.Where(str(bundle.file), 1), message)])
    there = inspection.known(bundle, known, own)
    problems = inspection.of_suite(chosen, there, bundle.folder)
    more = [*inspection.of_extra(extra, there)]
    if asked.chaos_plan is not None and asked.chaos_plan.is_file():
        more += inspection.of_plan(
            read_text(asked.chaos_plan, 'the plan'), str(asked.chaos_plan), there
        )
    if errors := [one for one in (*problems, *more) if one.severity == 'error']:
        raise problem.RefusedError(errors)
    _check_tasks(chosen, bundle)
    _check_plans(asked, bundle, chosen, known, seed)
    _check_files(asked, bundle)
    _check_databases(chosen, extra)
    for test in chosen.tests:
        expect.read(_expected(extra, test))
    ha = bundle.ha if asked.ha is None else asked.ha
    return Prepared(asked, bundle, chosen, known, own, seed, ha, extra, problems)


def has_chaos(test: suite.Test) -> bool:
    """Whether a test breaks anything."""
    return any(rule.task == 'matrix.tasks.chaos' for rule in test.rules)


def expected(prepared: Prepared, test: suite.Test) -> located.Plain:
    """What a test allows and asks for: by its rules, else by tests/test.yaml; None where nothing is said."""
    return _plain(_expected(prepared.extra, test, strict_compat=prepared.options.strict_compat))


def _plain(value: located.Value | None) -> located.Plain:
    return None if value is None else located.plain(value)


def _expected(
    extra: located.Mapping | None, test: suite.Test, *, strict_compat: bool = False
) -> located.Value | None:
    found = _plain(None if extra is None else extra.get('expect'))
    if strict_compat:
        # A load of 0.10 never said what it did.
        found = expect.both({'operations': False}, found or {})
    where = test.where if extra is None else extra.where
    for rule in test.rules:
        if (said := rule.args.get('expect')) is not None:
            found, where = expect.both(found, said), rule.where
    return None if found is None else fields.at(found, where)


def _suites(asked: options.Options, bundle: bundlefile.Bundle) -> suite.Suite:
    found: list[suite.Suite] = []
    if not asked.no_default_suite:
        text = importlib.resources.files('matrix').joinpath(OWN).read_text()
        found.append(suitefile.read(text, OWN))
    found.extend(_suite(path, asked) for path in asked.suites)
    own = bundle.folder / 'tests' / OWN
    if not asked.no_bundle_suite and own.is_file():
        found.append(_suite(own, asked))
    return suite.merge(found)


def _suite(path: pathlib.Path, asked: options.Options) -> suite.Suite:
    text = read_text(path, 'the suite')
    return suitefile.read(text, str(path), strict_compat=asked.strict_compat)


def read_text(path: pathlib.Path, what: str) -> str:
    """The text of a file.

    Raises:
        problem.RefusedError: it cannot be read.
    """
    try:
        return path.read_text(encoding='utf-8')
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror or str(error)) if isinstance(error, OSError) else 'not UTF-8 text'
        where = problem.Where(str(path), 1)
        raise problem.RefusedError(
            [problem.Problem(where, f'{what} cannot be read: {reason}')]
        ) from error


def _check_tasks(chosen: suite.Suite, bundle: bundlefile.Bundle) -> None:
    """Every program and function that a rule names is there."""
    problems: list[problem.Problem] = []
    with bundlecode.importable(bundle.folder):
        for rule in (rule for test in chosen.tests for rule in test.rules):
            if '/' in rule.task:
                path = bundle.folder / rule.task
                if not (path.is_file() and os.access(path, os.X_OK)):
                    message = f'there is no program {rule.task} in {bundle.folder}'
                    problems.append(problem.Problem(rule.where, message))
            elif rule.task not in catalogue.TASKS and (said := _missing(rule.task)):
                problems.append(
                    problem.Problem(rule.where, f'there is no task {rule.task!r}: {said}')
                )
    if problems:
        raise problem.RefusedError(problems)


def _missing(task: str) -> str:
    try:
        found = utils.resolve_dotpath(task)
    except Exception as error:  # A bundle's own code may raise anything when it is loaded.
        return f'{type(error).__name__}: {error}'
    return '' if callable(found) else 'it cannot be called'


def _check_plans(
    asked: options.Options,
    bundle: bundlefile.Bundle,
    chosen: suite.Suite,
    known: dict[str, fault.Fault],
    seed: int,
) -> None:
    for test in chosen.tests:
        for rule in test.rules:
            if rule.task == 'matrix.tasks.chaos':
                try:
                    planning.wanted(
                        rule.args,
                        chaos_plan=asked.chaos_plan,
                        count=asked.chaos_num,
                        redundant=True,
                        folder=bundle.folder,
                        known=known,
                        seed=seed,
                    )
                except model.InfraFailure as error:
                    raise problem.RefusedError(
                        [problem.Problem(rule.where, str(error))]
                    ) from error


def _check_databases(chosen: suite.Suite, extra: located.Mapping | None) -> None:
    """What a load on a database needs here is there: its driver, and the file with its account."""
    said = spec.read(None if extra is None else extra.get('load'))
    for rule in (rule for test in chosen.tests for rule in test.rules):
        if rule.task != 'matrix.tasks.end_to_end':
            continue
        one = spec.of_args(rule.args, rule.where, otherwise=said, lines=rule.lines)
        if one.use == 'sql' and one.sql is None:
            message = "'use: sql' needs 'sql' as well, here or under 'load' in tests/test.yaml"
            raise problem.RefusedError([problem.Problem(rule.at('use'), message)])
        if one.use == 'sql' and one.sql is not None and (why := _lacks(one.sql.account)):
            raise problem.RefusedError([problem.Problem(one.sql.where, why)])


def _lacks(account: sqlspec.Account) -> str:
    if not database.installed():
        return database.MISSING
    try:
        if not account.unit:
            accounts.of_file(account.file)
    except accounts.AccountError as error:
        return str(error)
    return ''


def _check_files(asked: options.Options, bundle: bundlefile.Bundle) -> None:
    for path in asked.overlay:
        read_text(path, 'the overlay')
    for name, charm in asked.replace:
        where = problem.Where(f'--replace {name}={charm}', 1)
        if name not in bundle.applications:
            near = problem.suggestion(name, bundle.applications)
            message = f'the bundle has no application {name!r}{near}'
            raise problem.RefusedError([problem.Problem(where, message)])
        if not pathlib.Path(charm).exists():
            raise problem.RefusedError([problem.Problem(where, 'there is no such charm')])
    spaces_of(asked, bundle)


def spaces_of(asked: options.Options, bundle: bundlefile.Bundle) -> dict[str, str]:
    """The spaces that a new model needs: those of the user's file, or of a spaces.yaml beside the bundle that it names.

    Raises:
        problem.RefusedError: the file cannot be used.
    """
    if asked.spaces is not None:
        return spaces(asked.spaces)
    beside = bundle.file.parent / 'spaces.yaml'
    if not bundle.spaces or not beside.is_file():
        return {}
    return {name: subnet for name, subnet in spaces(beside).items() if name in bundle.spaces}


def spaces(path: pathlib.Path) -> dict[str, str]:
    """Spaces and their subnets, as a file names them: `dmz: 10.0.1.0/24`.

    Raises:
        problem.RefusedError: it is not such a file.
    """
    document = located.load(read_text(path, 'the spaces'), str(path))
    found: dict[str, str] = {}
    if isinstance(document, located.Mapping):
        for entry in document.entries:
            if not isinstance(entry.value, located.Scalar) or not isinstance(
                entry.value.value, str
            ):
                message = f'{entry.key!r} needs its subnet, this is {located.kind(entry.value)}'
                raise problem.RefusedError([problem.Problem(entry.where, message)])
            found[entry.key] = entry.value.value
        return found
    raise problem.RefusedError(
        [problem.Problem(document.where, 'spaces are a mapping of names to subnets')]
    )
