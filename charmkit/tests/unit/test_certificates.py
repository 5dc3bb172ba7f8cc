"""The interfaces of certificates as databags: what is written is what the library writes, and nonsense is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from charmkit.relations import Relation, certificates
from charmkit.relations.certificates import Asked, Issued, Refused

MANY = 105
"""More than is looked at in one databag."""


def asks(*items: Any) -> dict[str, str]:
    return {'certificate_signing_requests': json.dumps(items)}


def one(csr: str, **more: Any) -> dict[str, Any]:
    return {'certificate_signing_request': csr, **more}


def test_requests_are_the_applications_and_then_each_units_each_once():
    relation = Relation(
        id=1,
        name='certificates',
        app='web',
        app_data=asks(one(' A\n'), one('B', ca=True)),
        units={'web/1': asks(one('D')), 'web/0': asks(one('A'), one('C', ca=False))},
    )
    assert certificates.asked(relation) == (
        Asked('A', 'web'),
        Asked('B', 'web', ca=True),
        Asked('C', 'web/0'),
        Asked('D', 'web/1'),
    )


@pytest.mark.parametrize('item', [None, 1, 'A', [], {}, one(''), one(' \n'), one(7)])  # type: ignore[arg-type]
def test_a_request_that_is_none_is_left_out(item: Any):
    relation = Relation(id=1, name='certificates', app='web', app_data=asks(item, one('A')))
    assert certificates.asked(relation) == (Asked('A', 'web'),)


def test_of_too_many_requests_the_first_hundred_are_looked_at():
    bag = asks(*(one(f'{n}') for n in range(MANY)))
    relation = Relation(id=1, name='certificates', app='web', app_data=bag)
    assert [a.csr for a in certificates.asked(relation)] == [f'{n}' for n in range(100)]
    assert certificates.asked(Relation(id=1, name='certificates', app='web')) == ()


def test_what_a_requirer_writes():
    bag = certificates.request([' A\n', 'B'])
    assert {key: json.loads(value) for key, value in bag.items()} == {
        'certificate_signing_requests': [
            {'certificate_signing_request': 'A', 'ca': False},
            {'certificate_signing_request': 'B', 'ca': False},
        ]
    }
    assert certificates.request([]) == {}


ISSUED = (
    Issued(csr='A', certificate='CA', ca='ROOT', chain=('CA', 'ROOT')),
    Issued(csr='B', certificate='CB', ca='ROOT', revoked=True),
)
REFUSED = (
    Refused('C', 'no', 'ip_not_allowed'),
    Refused('D', 'no', 'domain_not_allowed'),
    Refused('E', 'no', 'wildcard_not_allowed'),
    Refused('F', 'no', 'server_not_available'),
    Refused('G', 'no'),
)


def test_what_a_provider_writes():
    padded = Issued(csr=' A\n', certificate=' CA\n', ca=' ROOT\n', chain=(' CA\n', ' ROOT\n'))
    bag = certificates.provide((padded, ISSUED[1]), (Refused(' C\n', 'no', 'ip_not_allowed'),))
    assert {key: json.loads(value) for key, value in bag.items()} == {
        'certificates': [
            {
                'certificate': 'CA',
                'certificate_signing_request': 'A',
                'ca': 'ROOT',
                'chain': ['CA', 'ROOT'],
            },
            {
                'certificate': 'CB',
                'certificate_signing_request': 'B',
                'ca': 'ROOT',
                'chain': [],
                'revoked': True,
            },
        ],
        'request_errors': [
            {
                'csr': 'C',
                'certificate_signing_request': 'C',
                'error': {'code': 101, 'name': 'ip_not_allowed', 'message': 'no'},
            }
        ],
    }
    assert certificates.provide([]) == {}
    assert certificates.provide(ISSUED).keys() == {'certificates'}
    assert certificates.provide([], REFUSED).keys() == {'request_errors'}


def test_refusals_have_the_numbers_of_the_library():
    said = json.loads(certificates.provide([], REFUSED)['request_errors'])
    assert [r['error']['code'] for r in said] == [101, 102, 103, 201, 999]
    assert [r['error']['name'] for r in said][-1] == 'other'


def test_what_was_written_is_what_is_read():
    bag = certificates.provide(ISSUED, REFUSED)
    assert certificates.issued(bag) == ISSUED
    assert certificates.refused(bag) == REFUSED
    assert certificates.issued({}) == certificates.refused({}) == ()


def answer(**more: Any) -> dict[str, Any]:
    whole = {'certificate_signing_request': 'A', 'certificate': 'CA', 'ca': 'R', 'chain': ['CA']}
    return {**whole, **more}


@pytest.mark.parametrize(
    ('item', 'want'),
    [
        (answer(), Issued(csr='A', certificate='CA', ca='R', chain=('CA',))),
        (
            answer(certificate_signing_request=' A\n', certificate=' CA\n', ca=' R\n', chain=[' CA\n']),
            Issued(csr='A', certificate='CA', ca='R', chain=('CA',)),
        ),
        (answer(ca=7, chain='CA'), Issued(csr='A', certificate='CA', ca='')),
        (answer(chain=['C'] * 12), Issued(csr='A', certificate='CA', ca='R', chain=('C',) * 10)),
        (answer(revoked=True), Issued(csr='A', certificate='CA', ca='R', chain=('CA',), revoked=True)),
        (answer(revoked='true'), Issued(csr='A', certificate='CA', ca='R', chain=('CA',))),
        (answer(certificate=''), None),
        (answer(certificate_signing_request=None), None),
        ('A', None),
    ],
)  # fmt: skip
def test_an_answer_is_read_with_what_is_no_text_left_out(item: Any, want: Issued | None):
    assert certificates.issued({'certificates': json.dumps([item])}) == ((want,) if want else ())


def test_of_too_many_answers_a_thousand_are_read():
    every = json.dumps([answer(certificate_signing_request=f'{n}') for n in range(1005)])
    assert len(certificates.issued({'certificates': every})) == 1000
    errors = json.dumps([{'csr': f'{n}'} for n in range(1005)])
    assert len(certificates.refused({'request_errors': errors})) == 1000


@pytest.mark.parametrize(
    ('item', 'want'),
    [
        ({'csr': ' C\n'}, Refused('C', '')),
        ({'certificate_signing_request': 'C'}, Refused('C', '')),
        ({'csr': 'C', 'certificate_signing_request': 'D'}, Refused('C', '')),
        (
            {'csr': 'C', 'error': {'name': 'ip_not_allowed', 'message': ' a\nb  c'}},
            Refused('C', 'a b c', 'ip_not_allowed'),
        ),
        ({'csr': 'C', 'error': {'name': 'worse', 'message': 7}}, Refused('C', '')),
        ({'csr': 'C', 'error': {'message': 'x' * 400}}, Refused('C', 'x' * 300)),
        ({'csr': 'C', 'error': 'no'}, Refused('C', '')),
    ],
)
def test_a_refusal_is_read_as_one_short_line(item: Any, want: Refused):
    assert certificates.refused({'request_errors': json.dumps([item])}) == (want,)


def trusting(app: dict[str, str] | None = None, **units: dict[str, str]) -> Relation:
    bags = {name.replace('_', '/'): bag for name, bag in units.items()}
    return Relation(id=1, name='trust', app='ca', app_data=app or {}, units=bags)


def test_what_is_to_be_trusted_is_handed_on():
    bag = certificates.transfer([' A\n', 'B'])
    assert bag == {'version': '1', 'certificates': json.dumps(['A', 'B'])}
    assert certificates.transferred([trusting(dict(bag))]) == ('A', 'B')


def test_both_versions_are_read_each_certificate_once():
    relations = [
        trusting(
            {'certificates': json.dumps([' A\n', '', 7, 'B'])},
            ca_1={'ca': 'D', 'chain': json.dumps(['E', 'A'])},
            ca_0={'ca': ' C\n'},
        ),
        trusting(ca_0={'chain': json.dumps([f'{n}' for n in range(12)])}),
        trusting({'certificates': json.dumps([f'x{n}' for n in range(55)])}),
    ]
    assert certificates.transferred(relations) == (
        *('A', 'B', 'C', 'D', 'E'),
        *(f'{n}' for n in range(10)),
        *(f'x{n}' for n in range(50)),
    )
    assert certificates.transferred([]) == ()
