"""Blocks are found whatever stands around them, and one that is broken is never taken for none."""

from __future__ import annotations

import pytest
from charmkit import pem
from hypothesis import given
from hypothesis import strategies as st

ONE = '-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n'
TWO = ONE.replace('TUlJQg==', 'TUlJQw==')
KEY = ONE.replace('CERTIFICATE', 'EC PRIVATE KEY')
WORDS = 'Certificate:\n    Data:\n        Version: 3 (0x2)\n'
PARAMETERS = '-----BEGIN EC PARAMETERS-----\nBggq\n-----END EC PARAMETERS-----\n'


@pytest.mark.parametrize(
    'text',
    [
        ONE + TWO,
        f'\n{WORDS}{ONE}\n# Another one\n{WORDS}{TWO}# end',
        (ONE + TWO).replace('\n', '\r\n'),
        (ONE + TWO).rstrip(),
        ONE + KEY + TWO,
        ONE.replace('\n', '  \n') + TWO,
    ],
    ids=['bare', 'with words', 'CRLF', 'no end', 'with a key', 'blanks'],
)
def test_certificates_are_found_whatever_stands_around_them(text: str):
    assert pem.blocks(text, pem.CERTIFICATE) == (ONE, TWO)


def test_a_key_is_found_behind_its_parameters():
    assert pem.blocks(PARAMETERS + KEY, pem.KEY) == (KEY,)


@pytest.mark.parametrize(
    'text',
    [
        ONE[:-5],
        ONE + TWO[:40],
        ONE[:40] + TWO,
        ONE.replace('TUlJQg==', 'TUlJ*g=='),
        ONE.replace('TUlJQg==', 'TUlJQ'),
        ONE.replace('TUlJQg==', ''),
        ONE.replace('TUlJQg==', 'Proc-Type: 4,ENCRYPTED\n\nTUlJQg=='),
        'x' * (pem.LONGEST + 1),
    ],
)
def test_what_is_broken_is_refused_without_a_word_of_it(text: str):
    with pytest.raises(ValueError, match=r'cut off|longer') as refused:
        pem.blocks(text, pem.CERTIFICATE)
    assert 'TUlJ' not in str(refused.value)


@given(st.lists(st.sampled_from([ONE, TWO, WORDS, PARAMETERS, KEY, '\n', '# x\n'])))
def test_all_of_them_are_found_in_order(parts: list[str]):
    wanted = tuple(p for p in parts if p in (ONE, TWO))
    assert pem.blocks(''.join(parts), pem.CERTIFICATE) == wanted


@given(
    st.lists(st.sampled_from(['-', 'TUlJ', '*', '\n', *ONE.splitlines(keepends=True)])).map(
        ''.join
    )
)
def test_whatever_comes_is_blocks_or_refused(text: str):
    try:
        found = pem.blocks(text, pem.CERTIFICATE)
    except ValueError:
        return
    assert pem.blocks(''.join(found), pem.CERTIFICATE) == found
