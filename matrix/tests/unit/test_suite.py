"""Suites read, merged, chosen and checked before they run."""

from __future__ import annotations

import importlib.resources

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from matrix.grammar import lint, located, problem, suite, suitefile


def read_rules(*lines: str, strict: bool = False) -> tuple[suite.RuleSpec, ...]:
    text = 'tests:\n- name: t\n  rules:\n' + ''.join(f'  - {line}\n' for line in lines)
    return suitefile.read(text, 's.yaml', strict_compat=strict).tests[0].rules


def refusal(text: str) -> list[str]:
    with pytest.raises(problem.RefusedError) as refused:
        suitefile.read(text, 's.yaml')
    return [str(one) for one in refused.value.problems]


def _lint(*lines: str) -> list[str]:
    text = 'tests:\n- name: t\n  rules:\n' + ''.join(f'  - {line}\n' for line in lines)
    return [str(one) for one in lint.check(suitefile.read(text, 's.yaml'))]


def test_a_task_is_a_word_or_a_mapping_with_arguments() -> None:
    word, mapping = read_rules('do: matrix.tasks.deploy', 'do: {task: tests/load, rate: 3}')
    assert (word.task, word.args, word.state) == ('matrix.tasks.deploy', {}, 'deploy')
    assert (mapping.task, mapping.args, mapping.state) == ('tests/load', {'rate': 3}, 'tests/load')


def test_action_names_the_task_only_where_task_does_not() -> None:
    old, new = read_rules(
        'do: {action: matrix.tasks.deploy}',
        'do: {task: matrix.tasks.run_action, action: backup, application: db}',
    )
    assert (old.task, old.args) == ('matrix.tasks.deploy', {})
    assert new.args == {'action': 'backup', 'application': 'db'}


def test_glitch_is_chaos() -> None:
    first, second = read_rules('do: matrix.tasks.glitch', '{do: a.b, until: glitch.complete}')
    assert first.task == 'matrix.tasks.chaos'
    assert suite.ending(second) == suite.Condition('chaos', ('complete',))


def test_statements_split_at_the_last_dot() -> None:
    (rule,) = read_rules(
        '{do: a.b, after: health.status.healthy, until: chaos, while: deploy.paused}'
    )
    assert suite.entry(rule) == (
        suite.Condition('health.status', ('healthy',)),
        suite.Condition('deploy', ('paused',)),
    )
    assert suite.ending(rule) == suite.Condition('chaos', ('complete',))


@pytest.mark.parametrize(
    ('written', 'gating'),
    [
        ('true', 'always'),
        ('"true"', 'always'),
        ('yes', 'always'),
        ('false', 'never'),
        ('no', 'never'),
        ('ha_only', 'ha_only'),
    ],
)
def test_gating_is_read_quoted_or_not(written: str, gating: str) -> None:
    assert read_rules(f'{{do: a.b, gating: {written}}}')[0].gating == gating


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('- a', 's.yaml:1: error: a suite is a mapping, this is a list'),
        ('', 's.yaml:1: error: a suite is a mapping, this is nothing'),
        ('tests: 3', "s.yaml:1: error: a suite needs 'tests', a list"),
        ('tests:\n- 3', 's.yaml:2: error: a test is a mapping, this is 3'),
        ('tests:\n- name: x', "s.yaml:2: error: a test needs 'rules', a list"),
        (
            'tests:\n- rules:\n  - do: a.b\n    utnil: c',
            "s.yaml:4: error: a rule has no key 'utnil'; did you mean 'until'?",
        ),
        (
            'tests:\n- rules:\n  - {after: x}',
            "s.yaml:3: error: 'do' names a task, this is nothing",
        ),
        (
            'tests:\n- rules:\n  - do: {rate: 1}',
            "s.yaml:3: error: 'do' needs 'task', the name of a task",
        ),
        (
            'tests:\n- rules:\n  - {do: a.b, periodic: often}',
            "s.yaml:3: error: 'periodic' is a number of seconds, this is 'often'",
        ),
        (
            'tests:\n- rules:\n  - {do: a.b, periodic: .nan}',
            "s.yaml:3: error: 'periodic' is a number of seconds, this is nan",
        ),
        (
            'tests:\n- rules:\n  - do: a.b\n    after: x\n    after: y',
            "s.yaml:5: error: 'after' stands here and in line 4",
        ),
        ('tests: &a [*a]', 's.yaml:1: error: an alias stands inside what it names'),
        (
            'tests:\n- {rules: [}',
            "s.yaml:2: error: not YAML: expected the node content, but found '}'",
        ),
        (
            'tests: !!python/none x',
            's.yaml:1: error: not YAML: could not determine a constructor for the tag '
            "'tag:yaml.org,2002:python/none'",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, said: str) -> None:
    assert refusal(text) == [said]


def test_a_few_lines_that_stand_for_more_than_memory_are_refused() -> None:
    lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]']
    lines += [f'a{n}: &a{n} [{", ".join([f"*a{n - 1}"] * 9)}]' for n in range(1, 9)]
    assert 'more than 100000 values' in refusal('\n'.join(lines))[0]


def test_every_problem_of_a_file_is_told_at_once() -> None:
    assert len(refusal('tests:\n- rules:\n  - {do: a.b, x: 1}\n  - {do: a.b, gating: 7}')) == 2


def test_fmt_is_ignored_and_merge_keys_work() -> None:
    text = 'fmt: 1\ntests:\n- rules:\n  - &r {do: a.b, after: x}\n  - {<<: *r, after: y}\n'
    second = suitefile.read(text, 's.yaml').tests[0].rules[1]
    assert (second.task, str(second.after)) == ('a.b', 'y')


def test_a_later_test_takes_the_place_of_an_earlier_one_of_its_name() -> None:
    def of(*names: str, task: str) -> suite.Suite:
        tests = ''.join(f'- {{name: {name}, rules: [{{do: {task}}}]}}\n' for name in names)
        return suitefile.read(f'tests:\n{tests}', 's.yaml')

    merged = suite.merge([of('a', 'b', task='x.y'), of('c', 'a', task='z.z')])
    assert [(test.name, test.rules[0].task) for test in merged.tests] == [
        ('a', 'z.z'),
        ('b', 'x.y'),
        ('c', 'z.z'),
    ]
    assert [test.name for test in suite.select(merged, ['[bc]']).tests] == ['b', 'c']
    assert suite.select(merged, []) == merged


def test_the_default_suite_has_nothing_to_be_said_about() -> None:
    text = importlib.resources.files('matrix').joinpath('matrix.yaml').read_text()
    default = suitefile.read(text, 'matrix.yaml')
    assert lint.check(default) == ()
    assert [test.name for test in default.tests] == ['deployment', 'end_to_end']


def test_a_state_that_no_rule_produces_is_an_error_with_a_suggestion() -> None:
    assert _lint('do: matrix.tasks.deploy', '{do: matrix.tasks.reset, after: deplyo}') == [
        "s.yaml:5: error: no rule of 't' produces the state 'deplyo'; did you mean 'deploy'?"
    ]


def test_a_value_that_a_state_never_has_is_an_error() -> None:
    assert _lint(
        'do: matrix.tasks.health', '{do: matrix.tasks.reset, after: health.status.healty}'
    ) == ["s.yaml:5: error: 'health.status' is never 'healty'; did you mean 'healthy'?"]


def test_a_task_of_the_bundles_own_may_set_any_state() -> None:
    (said,) = _lint('do: tests.own', '{do: matrix.tasks.reset, after: quorum.reached}')
    assert ': warning: ' in said


def test_action_states_are_known_by_their_beginning() -> None:
    assert (
        _lint(
            'do: {task: matrix.tasks.run_action, application: db, action: backup}',
            '{do: matrix.tasks.reset, after: run_action.backup.completed}',
            '{do: matrix.tasks.deploy, after: run_action.complete}',
        )
        == []
    )


@pytest.mark.parametrize(
    ('rule', 'said'),
    [
        (
            'do: matrix.tasks.depoly',
            "no task 'matrix.tasks.depoly'; did you mean 'matrix.tasks.deploy'?",
        ),
        (
            'do: deploy',
            "'deploy' is neither a dotted name nor a path; did you mean 'matrix.tasks.deploy'?",
        ),
        (
            'do: {task: matrix.tasks.health, stability: 3}',
            "matrix.tasks.health has no argument 'stability'; did you mean 'stability_period'?",
        ),
        ('{do: a.b, periodic: 3}', "warning: 'periodic' without 'until' runs once"),
    ],
)
def test_lint_says_what_is_wrong(rule: str, said: str) -> None:
    (found,) = _lint(rule)
    assert said in found


def test_two_tasks_that_share_a_state_are_pointed_out() -> None:
    assert 'shares the state' in _lint('do: x.run', 'do: y.run')[0]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(['tests', 'rules', 'do', 'on', 'gating', 'x']), inner, max_size=3
            )
        ),
        max_leaves=12,
    )
)
def test_whatever_is_read_is_a_suite_or_refused(value: object) -> None:
    text = yaml.safe_dump(value)
    try:
        found = suitefile.read(text, 's.yaml')
    except problem.RefusedError as refused:
        assert all(one.where.line > 0 for one in refused.problems)
    else:
        assert isinstance(found, suite.Suite)


@given(st.text(max_size=60))
def test_any_text_is_yaml_or_refused(text: str) -> None:
    try:
        located.load(text, 's.yaml')
    except problem.RefusedError as refused:
        assert refused.problems
