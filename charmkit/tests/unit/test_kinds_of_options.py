"""What each kind of option may be, to its limits, and what an operator is told of what it may not."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from charmkit import options
from charmkit.options import Kind, Option, Read

NAME = Kind('string', 'a name', lambda text: text.isalpha(), longest=5)
BY_NAME = {option.name: option for option in options.declared()}


def read(
    given: dict[str, Any],
    kept: dict[str, Any] | None = None,
    *,
    kind: Kind = NAME,
    published: bool = False,
    default: Any = 'mine',
) -> Read:
    return options.read([Option('one', kind, default, 'One.', published)], given, kept or {})


def told(value: Any, kind: Kind = NAME, kept: Any = None) -> str:
    """What an operator is told of *value*."""
    return read({'one': value}, {} if kept is None else {'one': kept}, kind=kind).refused['one']


# What is in force.


def test_what_is_not_given_has_its_default_and_what_is_not_declared_is_as_given() -> None:
    assert read({'two': 2}) == Read(
        values={'one': 'mine', 'two': 2},
        good={'one': 'mine'},
        refused={},
        unsettled=frozenset(),
    )


@pytest.mark.parametrize('published', [False, True])
def test_the_last_good_value_is_in_force_and_kept(published: bool) -> None:
    found = read({'one': '?'}, {'one': 'old'}, published=published)
    assert found == Read(
        values={'one': 'old'},
        good={'one': 'old'},
        refused={'one': "option one: '?' will not do, 'old' stays in force; wanted: a name"},
        unsettled=frozenset(),
    )


@pytest.mark.parametrize('kept', [{}, {'one': '!'}, {'one': 7}, {'two': 'old'}])
@pytest.mark.parametrize('published', [False, True])
def test_without_a_good_one_the_default_is_in_force_and_not_kept(
    kept: dict[str, Any], published: bool
) -> None:
    found = read({'one': '?'}, kept, published=published)
    words = "option one: '?' will not do, 'mine' is in force, the default; wanted: a name"
    assert found == Read(
        values={'one': 'mine'},
        good={},
        refused={'one': words},
        unsettled=frozenset({'one'} if published else ()),
    )


def test_each_option_is_read_by_itself() -> None:
    several = [Option(n, NAME, 'mine', '', published=True) for n in ('a', 'b', 'c')]
    found = options.read(several, {'a': '?', 'b': 'good', 'c': '!'}, {'c': 'old'})
    assert found.values == {'a': 'mine', 'b': 'good', 'c': 'old'}
    assert found.good == {'b': 'good', 'c': 'old'}
    assert set(found.refused) == {'a', 'c'}
    assert found.unsettled == {'a'}


# What is told.


def test_a_value_that_is_too_long_is_told_with_how_long_it_may_be() -> None:
    assert read({'one': 'a' * 5}).refused == {}
    assert told('a' * 6).endswith('wanted: a name, of at most 5 characters')


def test_what_a_check_knows_more_of_is_told() -> None:
    def good(text: str) -> bool:
        raise ValueError('line 3 is none')

    assert told('x', Kind('string', 'lines', good)).endswith('wanted: lines (line 3 is none)')


def test_a_long_value_is_told_by_its_beginning() -> None:
    long = Kind('string', 'a name', lambda _: False)
    assert told('x' * 78, long).startswith(f"option one: '{'x' * 78}' will")
    assert told('x' * 79, long).startswith(f"option one: '{'x' * 79}… will")
    assert told('x' * 99, long).startswith(f"option one: '{'x' * 79}… will")


@pytest.mark.parametrize(
    ('given', 'shown'),
    [
        ('http://root:s3cret@10.0.0.5:2379', 'http://…@10.0.0.5:2379'),
        ('http://root:s3/c@ret@10.0.0.5', 'http://…@10.0.0.5'),
        ('root:s3cret@10.0.0.5', '…@10.0.0.5'),
        ('a https://x:s3cret@h/p b', 'a https://…@h/p b'),
        (f'https://x:{"s3cret" * 20}@h', 'https://…@h'),
        ('admin@example.com', 'admin@example.com'),
    ],
)
def test_a_password_in_an_address_is_not_quoted(given: str, shown: str) -> None:
    said = told(given, Kind('string', 'a name', lambda _: False))
    assert said.startswith(f"option one: '{shown}' will not do")


def test_where_the_default_is_nothing_none_is_quoted_as_in_force() -> None:
    option = Option('one', NAME, '', '')
    assert options.read([option], {'one': '?'}, {}).refused == {
        'one': "option one: '?' will not do, it counts as not set; wanted: a name"
    }
    anything = dataclasses.replace(option, kind=Kind('string', 'a name', lambda t: t == ''))
    assert options.read([anything], {'one': '?'}, {'one': ''}).refused == {
        'one': "option one: '?' will not do, it stays unset; wanted: a name"
    }


SECRET = Kind('string', 'a line', lambda text: text == 'good', confidential=True)


def test_what_may_hold_a_password_is_not_quoted_but_its_default_is() -> None:
    assert told('s3cret', SECRET, 'good') == (
        'option one: this will not do, the last good one stays in force; wanted: a line'
    )
    assert told('s3cret', SECRET) == (
        "option one: this will not do, 'mine' is in force, the default; wanted: a line"
    )


@pytest.mark.parametrize(
    ('juju', 'good', 'bad'),
    [
        ('string', ['', 'x'], [1, True, None, 1.0]),
        ('int', [0, -1], ['1', True, False, None, 1.0]),
        ('boolean', [True, False], [0, 1, 'yes', None]),
        ('float', [0.5], ['1', True, 1, None]),
    ],
)
def test_a_value_has_jujus_type(juju: Any, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert read({'one': value}, kind=Kind(juju, '')).refused == {}
    for value in bad:
        assert told(value, Kind(juju, '')).endswith(f'; wanted: {juju}')
        assert told(value, Kind(juju, 'that')).endswith('; wanted: that')


def test_a_kind_that_says_nothing_more_takes_four_thousand_characters() -> None:
    kind = Kind('string', 'text')
    assert not kind.confidential
    assert read({'one': 'x' * 4000}, kind=kind).refused == {}
    assert told('x' * 4001, kind).endswith('wanted: text, of at most 4000 characters')


# Kinds.


@pytest.mark.parametrize(
    ('kind', 'wants', 'good', 'bad'),
    [
        (options.count(2, 4), 'a whole number from 2 to 4', [2, 3, 4], [1, 5, 0]),
        (options.count(2, 4, 's'), 'a whole number from 2 to 4 (s)', [2, 4], [1, 5]),
        (
            options.count(2, 4, or_zero=True),
            '0 or a whole number from 2 to 4',
            [0, 2, 4],
            [1, 5, -1],
        ),
    ],
)
def test_a_count_is_between_its_limits_or_nought_where_that_says_something(
    kind: Kind, wants: str, good: list[int], bad: list[int]
) -> None:
    assert kind.wants == wants
    assert kind.juju == 'int'
    assert [kind.good(n) for n in good] == [True] * len(good)
    assert [kind.good(n) for n in bad] == [False] * len(bad)


def test_one_of_some_words_is_one_of_them_whole() -> None:
    kind = options.one_of('http', 'https')
    assert (kind.juju, kind.wants) == ('string', 'one of http, https')
    assert kind.good('http')
    assert kind.good('https')
    assert not kind.good('htt')
    assert not kind.good('')


def parts(word: str) -> tuple[str, ...]:
    return tuple(word.split('-'))


def test_words_are_at_most_so_many_and_none_is_part_of_two() -> None:
    kind = options.words('a, b or c', lambda word: {*word} <= {*'abc-'}, most=3, parts=parts)
    assert (kind.juju, kind.wants) == ('string', 'a, b or c, separated by spaces')
    assert kind.good('a  b-c')
    assert kind.good('a b c')
    assert not kind.good('a b c d')
    assert not kind.good('a b ac c')
    assert not kind.good('a x')
    assert not kind.good('a a'), 'a word that is there twice says so by itself'
    with pytest.raises(ValueError, match=r'^b is there twice$'):
        kind.good('a-b c-b')
    many = options.words('a word', lambda _: True)
    assert many.good(' '.join(map(str, range(64))))
    assert not many.good(' '.join(map(str, range(65))))


def refused(name: str, value: Any) -> str:
    return options.read(options.declared(), {name: value}, {}).refused.get(name, '')


@pytest.mark.parametrize(('name', 'least', 'most'), [('workers', 0, 64), ('threads', 0, 128)])
def test_processes_and_threads_have_limits(name: str, least: int, most: int) -> None:
    assert not refused(name, least)
    assert not refused(name, most)
    wanted = f'wanted: a whole number from {least} to {most}'
    assert refused(name, least - 1).endswith(wanted)
    assert refused(name, most + 1).endswith(wanted)


def addresses(count: int) -> str:
    return ' '.join(f'10.0.0.{n}' for n in range(1, count + 1))


@pytest.mark.parametrize(
    ('kind', 'most', 'word'),
    [
        (options.ADDRESSES, 6, '10.0.0.{}'),
        (options.NETWORKS, 64, '10.0.{}.0/24'),
        (options.REGIONS, 64, 'r{}'),
        (options.ORIGINS, 32, 'https://h{}.example'),
        (options.HOSTNAMES, 64, 'h{}.example'),
    ],
)
def test_a_list_has_an_end_and_each_is_there_once(kind: Kind, most: int, word: str) -> None:
    each = [word.format(n) for n in range(1, most + 2)]
    assert kind.juju == 'string'
    assert kind.good(' '.join(each[:most]))
    assert not kind.good(' '.join(each))
    assert not kind.good(f'{each[0]} {each[0]}')
    assert not kind.good(f'{each[0]} ?')
    assert kind.good('') is (kind is not options.REGIONS)


def test_a_regions_name_has_an_end() -> None:
    assert not refused('region', 'r' * 255)
    assert refused('region', 'r' * 256)
    assert refused('region', '-r')


def test_texts_of_many_lines_may_be_long() -> None:
    for kind in (options.SECTIONS, options.RULES, BY_NAME['openstack-origin-key'].kind):
        assert kind.longest == 64_000
    assert options.SECTIONS.confidential
    assert not options.RULES.confidential
    assert options.RULES.good('')
    assert options.SECTIONS.good('')


# Which there are.


def test_what_others_are_told_of_is_published() -> None:
    assert {name for name, option in BY_NAME.items() if option.published} == {
        'region',
        'vip',
        'os-public-hostname',
        'os-internal-hostname',
        'os-admin-hostname',
    }


def test_an_option_of_the_charms_own_takes_the_place_of_the_common_one_in_its_place() -> None:
    common = [Option(n, NAME, 'mine', 'common') for n in ('a', 'b')]
    own = [Option(n, NAME, 'mine', 'own') for n in ('c', 'b')]
    found = options.declared(*own, common=common)
    assert [(o.name, o.description) for o in found] == [
        ('a', 'common'),
        ('b', 'own'),
        ('c', 'own'),
    ]
    assert options.declared(common=common) == tuple(common)
    assert options.declared() == options.API
