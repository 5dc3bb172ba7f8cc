"""What a service says while an answer is wanting: two that wait for each other would do so for ever."""

from __future__ import annotations

import pytest
from charmkit import api, relations, service, state
from charmkit.why import Hook

CHANGED = Hook('config-changed')
SITE = relations.Site(unit='demo/0', leader=True, address='10.0.0.2')


def need(relation: str, *, optional: bool = False) -> relations.Need[str]:
    """Met by an ``answer``."""

    def parse(bag: relations.Databag, _: relations.Site) -> str | None:
        return bag.get('answer')

    return relations.Need(relation, lambda _: {}, relations.first(parse), optional=optional)


def hello(_: service.Ready, __: relations.Relation) -> relations.Databag:
    return {'hello': 'yes'}


def spec(*, first: bool) -> service.ServiceSpec:
    return service.ServiceSpec(
        name='demo',
        user='demo',
        packages=('demo-agent',),
        needs=(need('store'), need('beside', optional=True)),
        offers=(service.Offer('beside', hello, first=first),),
    )


def said(*, first: bool, **answers: str | None) -> dict[str, str]:
    """What is told to the one beside it, when these relations are there and have answered so."""
    found = {
        name: (
            relations.Relation(
                id=number,
                name=name,
                app=name,
                units={f'{name}/0': {'answer': answer} if answer else {}},
            ),
        )
        for number, (name, answer) in enumerate(answers.items(), 1)
    }
    desired = api.run(spec(first=first), CHANGED, state.Inputs(site=SITE, relations=found))
    (beside,) = found['beside']
    return dict(desired.unit_data.get(beside.id, {}))


@pytest.mark.parametrize('answer', [None, 'yes'], ids=['before', 'after'])
def test_who_waits_for_an_offer_before_it_answers_is_told_first(answer: str | None):
    assert said(first=True, store='yes', beside=answer) == {'hello': 'yes'}


def test_others_are_told_once_they_have_answered():
    assert said(first=False, store='yes', beside=None) == {}
    assert said(first=False, store='yes', beside='yes') == {'hello': 'yes'}


def test_nobody_is_told_while_something_else_is_wanting():
    assert said(first=True, store=None, beside=None) == {}
    assert said(first=True, store=None, beside='yes') == {}
