"""What a mutant changes is read from what mutmut writes, and what came of many is summed up."""

from __future__ import annotations

import argparse
import importlib
import json
import pathlib
import subprocess
import sys
from typing import Any

import pytest

from tools import mutation

SOURCE = """
def x_free__mutmut_orig(units, at):
    return min(units, key=at) if len(units) > 1 else 'no unit is left'

def x_free__mutmut_1(units, at):
    return min(units, key=at) if len(units) >= 1 else 'no unit is left'

def x_free__mutmut_2(units, at):
    return min(units, key=None) if len(units) > 1 else 'no unit is left'

def x_free__mutmut_3(units, at):
    return min(units, ) if len(units) > 1 else 'no unit is left'

def x_free__mutmut_4(units, at):
    return min(units, key=at) if len(units) > 1 else 'XXno unit is leftXX'

class Run:
    def xǁRunǁend__mutmut_orig(self):
        self.over = 'yes'
        self.left = 'yes'

    def xǁRunǁend__mutmut_1(self):
        self.over = 'YES'
        self.left = 'yes'

    def xǁRunǁend__mutmut_2(self):
        self.over = 'yes'
        self.left = 'XXyesXX'

    def xǁRunǁend__mutmut_3(self):
        self.over = None
        self.left = 'yes'
"""


def test_a_mutant_is_known_by_what_it_changes() -> None:
    found = mutation.mutants('a.b', SOURCE)
    assert [one.key for one in found] == [
        'a.b:free len(units) > 1 → len(units) >= 1',
        'a.b:free at → None',
        'a.b:free key=at → (left out)',
        "a.b:free 'no unit is left' → 'XXno unit is leftXX'",
        "a.b:Run.end 'yes' → 'YES'",
        "a.b:Run.end 'yes' → 'XXyesXX'",
        "a.b:Run.end 'yes' → None",
    ]
    assert found[0].name == 'a.b.x_free__mutmut_1'


def test_two_that_read_alike_are_told_apart() -> None:
    text = """
def x_f__mutmut_orig(a): return a + 1, a + 1
def x_f__mutmut_1(a): return a - 1, a + 1
def x_f__mutmut_2(a): return a + 1, a - 1
"""
    assert [one.key for one in mutation.mutants('m', text)] == [
        'm:f a + 1 → a - 1',
        'm:f a + 1 → a - 1 #2',
    ]


def test_a_key_stays_when_the_function_moves() -> None:
    moved = mutation.mutants('a.b', '\n\n# A comment.\n' + SOURCE)
    assert [one.key for one in moved] == [one.key for one in mutation.mutants('a.b', SOURCE)]


def test_mutants_of_wording_are_not_run() -> None:
    worth = [not mutation.says_nothing(one) for one in mutation.mutants('a.b', SOURCE)]
    assert worth == [True, True, True, False, False, True, True]


def test_a_name_for_the_type_checker_is_no_mutant_and_what_it_names_is_one() -> None:
    text = """
def x_f__mutmut_orig(a): return cast('int', a + 1)
def x_f__mutmut_1(a): return cast('XXintXX', a + 1)
def x_f__mutmut_2(a): return cast(None, a + 1)
def x_f__mutmut_3(a): return cast(a + 1)
def x_f__mutmut_4(a): return cast('int', a - 1)
"""
    found = mutation.mutants('m', text)
    assert [bool(mutation.says_nothing(one)) for one in found] == [True, True, True, False]
    assert found[3].key == 'm:f a + 1 → a - 1'


@pytest.mark.parametrize(
    ('code', 'outcome'),
    [
        (None, 'not run'),
        (0, 'survived'),
        (1, 'killed'),
        (2, 'killed'),
        (33, 'no tests'),
        (34, 'not run'),
        (-24, 'timeout'),
        (36, 'timeout'),
    ],
)
def test_exit_codes_are_outcomes(code: int | None, outcome: str) -> None:
    assert mutation.outcome(code) == outcome


def test_a_mutant_that_hangs_is_noticed_and_one_that_no_test_runs_is_not() -> None:
    score = mutation.score(['killed', 'timeout', 'survived', 'no tests', 'not run'])
    assert score == mutation.Score(1, 1, 1, 1)
    assert score.rate == 0.5
    assert mutation.score([]).rate == 1.0


def test_what_is_known_is_not_run_again_unless_no_test_failed_for_it() -> None:
    unknown, left, survived, untested, hung, killed = found = mutation.mutants('a.b', SOURCE)[:6]
    codes = {left.name: 34, survived.name: 0, untested.name: 33, hung.name: 36, killed.name: 1}
    assert mutation.waiting(found, codes) == (unknown.name, left.name)
    assert mutation.waiting(found, codes, again=True) == tuple(one.name for one in found[:5])


def test_a_sample_is_the_same_for_the_same_seed() -> None:
    found = mutation.mutants('a.b', SOURCE)
    assert mutation.sample(found, 3, 1) == mutation.sample(found[::-1], 3, 1)
    assert len(mutation.sample(found, 3, 1)) == 3
    assert {*mutation.sample(found, 99, 1)} == {*found}
    assert len({mutation.sample(found, 3, seed) for seed in range(20)}) > 1


def test_a_survivor_is_reported_until_it_is_argued_or_killed() -> None:
    first, second, third, *_ = mutation.mutants('a.b', SOURCE)
    document = (
        f'Some text.\n\n- `{first.key}`: no list is ever that short.\n- `{third.key}`: so.\n'
    )
    known = mutation.argued(document)
    assert known[first.key] == 'no list is ever that short.'
    text = '\n'.join(
        mutation.report({first: 'survived', second: 'no tests', third: 'killed'}, known)
    )
    table, survived, argued, over = text.split('\n\n')
    assert table.splitlines()[-1].split() == ['all', '1', '0', '1', '1', '33.3%']
    assert survived == f'survived:\n- `{second.key}` (no test runs it)'
    assert argued == f'survived, and argued:\n- `{first.key}`'
    assert over == f'argued, and killed after all:\n- `{third.key}`'


DECIDES = """
def left(wanted, had):
    count = 0
    while wanted > had:
        had += 1
        count += 1
    return count

def may(units, least):
    return units - 1 >= least
"""
TESTS = """
from part import decide

from tests import shared

def test_as_many_as_are_wanted():
    assert decide.left(5, 3) == 2

def test_one_may_go_where_there_are_enough():
    assert decide.may(shared.UNITS, 1)

def test_it_is_as_the_golden_has_it(snapshot):
    assert decide.left(4, 1) == snapshot
"""
GOLDEN = """\
# serializer version: 1
# name: test_it_is_as_the_golden_has_it
  3
# ---
"""


def test_charmkits_mutants_are_of_the_modules_that_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    root = pathlib.Path(__file__).parents[2]
    monkeypatch.setattr(sys, 'path', [str(root / 'tools'), *sys.path])
    mutants: Any = importlib.import_module('mutants')
    modules = mutants.GROUPS['charmkit'].modules
    assert {'src/charmkit/host.py', 'src/charmkit/relations/*.py'} <= {*modules}
    assert {'src/charmkit/apply.py', 'src/charmkit/files.py', 'src/charmkit/charm.py'}.isdisjoint(
        modules
    )
    missing = [
        f'{group.folder}/{pattern}'
        for group in mutants.GROUPS.values()
        for pattern in group.modules
        if not [*(root / group.folder).glob(pattern)]
    ]
    assert missing == []
    # Tests load each charm.py by its path, and so the one that has no mutants.
    charms = [group for group in mutants.GROUPS.values() if group.folder.startswith('charms/')]
    assert charms
    for group in charms:
        found = {path for one in group.modules for path in (root / group.folder).glob(one)}
        assert root / group.folder / 'src/charm.py' not in found
    with pytest.raises(LookupError, match='what decides in matrix'):
        mutants.deciding('matrix', (root / 'pyproject.toml').read_text())


def _tree(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, pathlib.Path]:
    """The tool, put to a small tree of its own, and that tree."""
    tools = str(pathlib.Path(__file__).parents[2] / 'tools')
    monkeypatch.setattr(sys, 'path', [tools, *sys.path])
    mutants: Any = importlib.import_module('mutants')
    root = tmp_path / 'tree'
    for name, text in {
        'pyproject.toml': '',
        'part/src/part/__init__.py': '',
        'part/src/part/decide.py': DECIDES,
        'part/tests/unit/test_decide.py': TESTS,
        'part/tests/unit/__snapshots__/test_decide.ambr': GOLDEN,
        'tests/shared.py': 'UNITS = 3\n',
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(['git', 'init', '-q'], cwd=root, check=True)
    monkeypatch.setattr(mutants, 'ROOT', root)
    monkeypatch.setattr(mutants, 'WORK', tmp_path / 'work')
    return mutants, root


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_what_no_test_notices_survives_and_what_hangs_is_ended(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutants, root = _tree(tmp_path, monkeypatch)
    asked = argparse.Namespace(
        module='*', sample=0, seed=0, again=False, show=False, few=True, jobs=2
    )
    group = mutants.Group('part', ('src/part/*.py',))
    came = {one.key: said for one, said in mutants.run('g', group, asked).items()}
    assert came['part.decide:may units - 1 >= least → units - 1 > least'] == 'survived'
    assert came['part.decide:left had += 1 → had -= 1'] == 'timeout'
    assert came['part.decide:left 0 → None'] == 'killed'
    (root / 'part/tests/unit/test_limit.py').write_text(
        'from part import decide\n\ndef test_at_the_limit():\n    assert decide.may(2, 1)\n'
    )
    asked.again = True
    came = {one.key: said for one, said in mutants.run('g', group, asked).items()}
    assert came['part.decide:may units - 1 >= least → units - 1 > least'] == 'killed'


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sample_stays_a_sample_when_the_tests_are_run_in_another_way(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then mutmut forgets what it knew, of all mutants: those that were not to be run as well."""
    mutants, _ = _tree(tmp_path, monkeypatch)
    asked = argparse.Namespace(
        module='part.decide', sample=2, seed=1, again=False, show=False, few=True, jobs=1
    )
    before = mutants.run('g', mutants.Group('part', ('src/part/*.py',)), asked)
    asked.sample = 4
    tests = ('tests/unit/test_decide.py',)
    after = mutants.run('g', mutants.Group('part', ('src/part/*.py',), tests), asked)
    assert 0 < len({*before} & {*after}) < len(after) == 4
    assert 'not run' not in after.values()
    known = [
        code
        for meta in (tmp_path / 'work').rglob('*.py.meta')
        for code in json.loads(meta.read_text())['exit_code_by_key'].values()
        if code is not None
    ]
    assert len(known) == 4
