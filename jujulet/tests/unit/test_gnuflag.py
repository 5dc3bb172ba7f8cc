"""Juju's flag grammar."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jujulet.core import gnuflag

FLAGS = (
    gnuflag.Flag(('relation', 'r'), help='a relation'),
    gnuflag.Flag(('application', 'a'), 'bool', help='of the application'),
    gnuflag.Flag(('quiet', 'q'), 'bool'),
    gnuflag.Flag(('num-units', 'n'), 'int', 1),
    gnuflag.Flag(('wait',), 'duration', 60.0),
    gnuflag.Flag(('config',), 'repeatable'),
    gnuflag.Flag(('resource',), 'map'),
)


@pytest.mark.parametrize(
    'argv',
    [
        ('-r', 'db:1', 'x', '-'),
        ('x', '-r', 'db:1', '-'),
        ('x', '-', '--relation', 'db:1'),
        ('x', '--relation=db:1', '-'),
        ('-rdb:1', 'x', '--', '-'),
        ('--r', 'db:1', '--', 'x', '-'),
    ],
)
def test_flags_may_stand_anywhere_before_the_double_dash(argv: tuple[str, ...]) -> None:
    found = gnuflag.parse(FLAGS, argv)
    assert (found['relation'], found.positionals) == ('db:1', ('x', '-'))


def test_a_boolean_takes_a_value_only_behind_an_equals_sign() -> None:
    assert gnuflag.parse(FLAGS, ['--application', 'False']).positionals == ('False',)
    assert gnuflag.parse(FLAGS, ['--application', 'False'])['application'] is True
    for word in ('false', 'False', 'FALSE', 'f', 'F', '0'):
        assert gnuflag.parse(FLAGS, [f'--application={word}'])['application'] is False
    assert gnuflag.parse(FLAGS, ['-aq'])['quiet'] is True


def test_values_have_the_type_of_their_flag() -> None:
    words = '-n 3 --wait 1m30s --config a --config b=c --resource x=1 --resource y=2=3'
    found = gnuflag.parse(FLAGS, words.split())
    assert found.values == {
        'relation': '',
        'application': False,
        'quiet': False,
        'num-units': 3,
        'wait': 90.0,
        'config': ('a', 'b=c'),
        'resource': {'x': '1', 'y': '2=3'},
    }
    assert found.given['num-units'] == '-n'


def test_without_interspersing_the_first_positional_ends_the_flags() -> None:
    found = gnuflag.parse(FLAGS, ['-q', 'ls', '-a'], interspersed=False)
    assert (found.positionals, found['application']) == (('ls', '-a'), False)


def test_values_may_look_like_flags() -> None:
    found = gnuflag.parse(FLAGS, ['-r', '--application', '--config=-x', '--config', '--'])
    assert (found['relation'], found['application']) == ('--application', False)
    assert found['config'] == ('-x', '--')


@pytest.mark.parametrize(
    ('argv', 'text'),
    [
        (['--foo'], 'option provided but not defined: --foo'),
        (['-x'], 'option provided but not defined: -x'),
        (['-ax'], 'option provided but not defined: -x'),
        (['-r'], 'option needs an argument: -r'),
        (['--relation'], 'option needs an argument: --relation'),
        (['--=x'], 'empty option in argument "--=x"'),
        (
            ['--application=maybe'],
            'invalid value "maybe" for option --application: '
            'strconv.ParseBool: parsing "maybe": invalid syntax',
        ),
        (
            ['-n', 'many'],
            'invalid value "many" for option -n: strconv.ParseInt: parsing "many": invalid syntax',
        ),
        (
            ['--wait', '5'],
            'invalid value "5" for option --wait: time: missing unit in duration "5"',
        ),
        (
            ['--wait=5y'],
            'invalid value "5y" for option --wait: time: unknown unit "y" in duration "5y"',
        ),
        (['--resource', 'x'], 'badly formatted name value pair: x'),
    ],
)
def test_what_cannot_be_read_has_gos_text(argv: list[str], text: str) -> None:
    with pytest.raises(gnuflag.FlagError) as caught:
        gnuflag.parse(FLAGS, argv)
    assert text in str(caught.value)


@given(
    st.text(max_size=8).filter(lambda t: t != '--'),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.lists(st.text(max_size=5), max_size=4),
    st.randoms(use_true_random=False),
)
def test_what_is_written_out_is_read_back(
    relation: str, application: bool, number: int, words: list[str], chance: random.Random
) -> None:
    flags = [
        [f'--relation={relation}'],
        [f'--application={application}'],
        ['-n', str(number)],
    ]
    chance.shuffle(flags)
    argv = [word for flag in flags for word in flag]
    found = gnuflag.parse(FLAGS, [*argv, '--', *words])
    assert found['relation'] == relation
    assert found['application'] is application
    assert found['num-units'] == number
    assert found.positionals == tuple(words)


@given(st.lists(st.text(alphabet='-=rahqn0x é"', max_size=6), max_size=6))
def test_any_words_are_read_or_refused(argv: list[str]) -> None:
    try:
        found = gnuflag.parse(FLAGS, argv)
    except gnuflag.FlagError as error:
        assert str(error).startswith(('option ', 'invalid value ', 'empty option '))
    else:
        assert set(found.values) == {flag.names[0] for flag in FLAGS}


@pytest.mark.parametrize('seconds', [0.0, 0.5, 1.0, 90.0, 3600.0, 3661.25, -60.0])
def test_a_duration_reads_back_as_it_was_written(seconds: float) -> None:
    assert gnuflag.duration(gnuflag.duration_text(seconds)) == seconds


def test_durations_are_written_as_go_writes_them() -> None:
    texts = [gnuflag.duration_text(s) for s in (0, 30, 300, 3600, 5400.5)]
    assert texts == ['0s', '30s', '5m0s', '1h0m0s', '1h30m0.5s']


def test_help_lists_every_flag_with_its_default() -> None:
    text = gnuflag.help_text('thing <name>', 'Do a thing.', FLAGS, 'More of it.')
    assert text.startswith('Usage: thing [options] <name>\n\nSummary:\nDo a thing.\n\nOptions:\n')
    assert '-r, --relation (= "")\n    a relation\n' in text
    assert '-a, --application  (= false)\n' in text
    assert '--wait  (= 1m0s)\n' in text
    assert text.endswith('Details:\nMore of it.\n')
    assert gnuflag.parse(FLAGS, ['x', '--help', '--no-such']).help


def test_a_text_in_quotes_is_one_line():
    assert gnuflag.quote('a\rb\nc') == r'"a\rb\nc"'


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [
        (0, '0s'),
        (1.5, '1.5s'),
        (10, '10s'),
        (60, '1m0s'),
        (300, '5m0s'),
        (3600, '1h0m0s'),
        (3661.25, '1h1m1.25s'),
        (-90, '-1m30s'),
    ],
)
def test_durations_are_written_as_go_does(seconds: float, text: str):
    assert gnuflag.duration_text(seconds) == text
