"""What passes and what does not, at the edges; and what is said of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from balancer import validation as v

Check = Callable[[Any, str], object]


def is_refused(check: Callable[[], object]) -> str:
    with pytest.raises(v.InvalidError) as e:
        check()
    return str(e.value)


LONGEST_NAME = 'a' * 63
LONGEST_HOST = '.'.join(['a' * 63] * 3 + ['a' * 61])

GOOD: list[tuple[Check, Any, object]] = [
    (v.name, 'a-b', 'a-b'),
    (v.name, LONGEST_NAME, LONGEST_NAME),
    (v.hostname, 'Cloud-1.example', 'Cloud-1.example'),
    (v.hostname, LONGEST_HOST, LONGEST_HOST),
    *((v.plain_path, path, path) for path in ('/', '/a', '/a/', '/a/.b/c..d')),
    (v.host, 'cloud.example', 'cloud.example'),
    (v.host, '10.0.0.1', '10.0.0.1'),
    (v.host, '2001:DB8:0::5', '2001:db8::5'),
    (v.status, 100, '100'),
    (v.status, 599, '599'),
    (v.status, '204', '204'),
    (v.status, '200-399', '200-399'),
    (v.status, '200-200', '200-200'),
    (v.port, 1, 1),
    (v.port, '65535', 65535),
    (v.boolean, False, False),
    (v.duration_ms, '250ms', 250),
    (v.duration_ms, '1s', 1000),
    (v.duration_ms, '2m', 120_000),
    (v.duration_ms, '24h', 86_400_000),
    (v.duration_ms, '1d', 86_400_000),
]


@pytest.mark.parametrize(('check', 'value', 'read'), GOOD)
def test_what_is_right_is_read(check: Check, value: Any, read: object) -> None:
    assert check(value, 'x') == read


BAD: list[tuple[Check, Any, str]] = [
    (v.name, 'a-', "x is not allowed: 'a-'"),
    (v.name, 'A', "x is not allowed: 'A'"),
    (v.name, 'a' * 64, 'x is not allowed: '),
    (v.name, 'a\n', r"x is not allowed: 'a\n'"),
    (v.name, 3, 'x is not allowed: 3'),
    *(
        (v.plain_path, path, f'x has an empty or a dot segment: {path!r}')
        for path in ('//a', '/a//b', '/a/./b', '/a/../b', '/a/.', '/..')
    ),
    (v.plain_path, '/a b', "x is not allowed: '/a b'"),
    (v.hostname, 'a-.example', "x is not allowed: 'a-.example'"),
    (v.hostname, 'a..b', "x is not allowed: 'a..b'"),
    (v.hostname, '', "x is not allowed: ''"),
    (v.hostname, None, 'x is not allowed: None'),
    (v.hostname, LONGEST_HOST + 'a', 'x is not allowed: '),
    (v.hostname, 'a.' * 126 + 'aa', 'x is not allowed: '),
    (v.hostname, '10.0.0.1', "x is not allowed: '10.0.0.1'"),
    (v.hostname, '0x7f000001', "x is not allowed: '0x7f000001'"),
    (v.host, 'cloud.0X1', "x is not allowed: 'cloud.0X1'"),
    (v.host, '2130706433', "x is not an IP address: '2130706433'"),
    (v.host, '10.0.0.300', "x is not an IP address: '10.0.0.300'"),
    (v.status, 99, 'x is not allowed: 99'),
    (v.status, 600, 'x is not allowed: 600'),
    (v.status, '600', "x is not allowed: '600'"),
    (v.status, True, 'x is not allowed: True'),
    (v.status, None, 'x is not allowed: None'),
    (v.status, 200.0, 'x is not allowed: 200.0'),
    (v.status, '200-199', "x is a range that ends before it begins: '200-199'"),
    (v.port, 0, 'x is not a number from 1 to 65535: 0'),
    (v.port, 65536, 'x is not a number from 1 to 65535: 65536'),
    (v.port, True, 'x is not a number from 1 to 65535: True'),
    (v.port, '', "x is not a number from 1 to 65535: ''"),
    (v.port, '٣', r"x is not a number from 1 to 65535: '\u0663'"),
    (v.port, 22.0, 'x is not a number from 1 to 65535: 22.0'),
    (v.boolean, 'true', "x is neither true nor false: 'true'"),
    (v.boolean, 1, 'x is neither true nor false: 1'),
    (v.duration_ms, '0s', "x is not a time such as 60s: '0s'"),
    (v.duration_ms, '60', "x is not a time such as 60s: '60'"),
    (v.duration_ms, 60, 'x is not a time such as 60s: 60'),
    (v.duration_ms, '86401s', "x is longer than a day: '86401s'"),
    (v.address, 'cloud', "x is not an IP address: 'cloud'"),
    (v.address, 3232235777, 'x is not an IP address: 3232235777'),
    (v.address, None, 'x is not an IP address: None'),
    (v.address, '10.0.0.1\n', r"x is not an IP address: '10.0.0.1\n'"),
    (v.network, '10.0.0.1/8', "x is not a network such as 10.0.0.0/24: '10.0.0.1/8'"),
    (v.network, 10, 'x is not a network such as 10.0.0.0/24: 10'),
    (v.network, 'fd00::%1/64', "x is not a network such as 10.0.0.0/24: 'fd00::%1/64'"),
    (v.items, 'abc', "x is not a list: 'abc'"),
    (v.items, {}, 'x is not a list: {}'),
    (v.items, [0] * 1025, 'x has more than 1024 items'),
    (v.mapping, [], 'x is not an object: []'),
    (v.mapping, {1: 2}, 'x has a key that is no text: 1'),
    (v.mapping, dict.fromkeys(map(str, range(1025))), 'x has more than 1024 keys'),
]


@pytest.mark.parametrize(('check', 'value', 'said'), BAD)
def test_what_is_wrong_is_said_with_its_place_and_itself(
    check: Check, value: Any, said: str
) -> None:
    found = is_refused(lambda: check(value, 'x'))
    assert found == said or (said.endswith(': ') and found.startswith(said))


@pytest.mark.parametrize(
    'address',
    [
        '0.0.0.0',  # noqa: S104
        '0.1.2.3', '127.0.0.2', '169.254.0.1', '224.0.0.1', '240.0.0.1', '255.255.255.255',
        '::', '::1', 'fe80::1', 'ff02::1', 'fec0::1', '::ffff:10.0.0.1', '64:ff9b::a00:1',
        '2002:a00:1::1', '2001:0:a00:1::1', '::10.0.0.1',
    ],
)  # fmt: skip
def test_no_machine_has_such_an_address(address: str) -> None:
    said = is_refused(lambda: v.address(address, 'x'))
    assert said == f'x cannot be the address of a machine: {address!r}'


@pytest.mark.parametrize(
    'address', ['1.0.0.0', '10.0.0.1', '203.0.113.5', '2001:db8::5', 'fd00::1']
)
def test_a_machine_has_such_an_address(address: str) -> None:
    assert str(v.address(address, 'x')) == address


def test_as_many_as_may_be_are_taken() -> None:
    keys = dict.fromkeys(map(str, range(1024)))
    assert v.mapping(keys, 'x') == keys
    assert len(v.items([0] * 1024, 'x')) == 1024
    assert v.items([1, 2], 'x', at_most=2) == [1, 2]
    assert v.json_list('[1, 2]', 'x', at_most=2) == [1, 2]
    assert v.json_list('', 'x', at_most=2) == v.items(None, 'x') == []
    assert v.mapping(None, 'x') == {}
    assert v.integer('123456789', 'x', 0, 10**9) == 123_456_789


def test_more_are_not() -> None:
    assert is_refused(lambda: v.json_list('[1, 2, 3]', 'x', at_most=2)) == (
        'x has 3 items, and at most 2 are allowed'
    )
    assert is_refused(lambda: v.json_list('{}', 'x', at_most=2)) == 'x is not a list'
    assert is_refused(lambda: v.integer('1234567890', 'x', 0, 10**10)).startswith('x is not a num')
    assert is_refused(lambda: v.mapping({'b': 1}, 'x', ('c', 'a'))) == (
        "x has no 'b'; there are a, c"
    )
    assert is_refused(lambda: v.one_of('c', 'x', ('b', 'a'))) == "x is none of b, a: 'c'"
    assert is_refused(lambda: v.text('ab', 'x', re.compile('a'))) == "x is not allowed: 'ab'"


def test_a_text_is_read_up_to_its_limit() -> None:
    most = 2**20
    assert v.json_value('1'.ljust(most), 'x') == 1
    assert is_refused(lambda: v.json_value('1'.ljust(most + 1), 'x')) == (
        'x is longer than 1048576 characters'
    )
    for text in ('{', '[' * 100_000, '1' * 5000):
        assert is_refused(lambda text=text: v.json_value(text, 'x')) == 'x is not JSON'


@pytest.mark.parametrize(
    ('value', 'shown'),
    [
        ('a\nb', r"'a\nb'"),
        ('é\u2028', r"'\xe9\u2028'"),
        ([1, 2, 3, 4, 5], '[1, 2, 3, 4, ...]'),
        ({'a': {'b': {'c': {'d': 1}}}}, "{'a': {'b': {'c': {...}}}}"),
        ('a' * 48, repr('a' * 48)),
        (['b' * 27, 'b' * 25], f"['{'b' * 27}', '{'b' * 25}']"),
        (['b' * 27, 'b' * 26], f"['{'b' * 27}', '{'b' * 24}..."),
    ],
)
def test_what_is_shown_is_short_and_printable(value: object, shown: str) -> None:
    assert v.shown(value) == shown


def test_a_number_that_python_does_not_write_is_refused_in_words() -> None:
    # YAML has hexadecimal numbers of any length.
    said = is_refused(lambda: v.port(16**5000, 'x'))
    assert said == 'x is not a number from 1 to 65535: a number with thousands of digits'
    assert is_refused(lambda: v.text([{'a': 16**5000}], 'x', v.NAME)).startswith(
        'x is not allowed'
    )
