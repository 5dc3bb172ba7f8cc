"""Which endpoints a bundle's relation joins, when it names only applications.

Source: Juju's endpoint inference (state.InferEndpoints): one pair must fit, explicit endpoints before implicit ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from .. import charm as charm_
from .. import findings
from .. import model as model_
from .document import Invalid
from .nouns import BundleRelation

_JUJU_INFO = charm_.RelationMeta('juju-info', 'provider', 'juju-info')


def endpoints(relation: BundleRelation, charms: Mapping[str, charm_.Charm]) -> tuple[str, str]:
    """Both sides as ``application:endpoint``; as written where a side's charm is not known (an offer's).

    Raises:
        Invalid: no pair of endpoints fits, or several do.
    """
    one, two = relation.applications
    if one not in charms or two not in charms:
        return relation.a, relation.b
    pairs = [
        (f'{one}:{a.name}', f'{two}:{b.name}')
        for a in _candidates(relation.a, charms[one], relation)
        for b in _candidates(relation.b, charms[two], relation)
        if a.interface == b.interface and {a.role, b.role} == {'provider', 'requirer'}
    ]
    if len(pairs) > 1:
        pairs = [p for p in pairs if not any(side.endswith(':juju-info') for side in p)] or pairs
    if len(pairs) == 1:
        return pairs[0]
    if not pairs:
        raise Invalid(
            f'{relation.where}: no relations found between "{relation.a}" and "{relation.b}": '
            f'{one} has {_list(charms[one])}; {two} has {_list(charms[two])}'
        )
    choices = '; '.join(f'"{a} {b}"' for a, b in pairs)
    raise Invalid(
        f'{relation.where}: ambiguous relation: "{relation.a} {relation.b}" could refer to {choices}'
    )


def _candidates(
    side: str, charm: charm_.Charm, relation: BundleRelation
) -> list[charm_.RelationMeta]:
    app, _, name = side.partition(':')
    known = {**charm.relations}
    known.setdefault('juju-info', _JUJU_INFO)
    if not name:
        return [r for r in known.values() if r.role != 'peer']
    if name not in known:
        hint = findings.near(name, sorted(charm.relations))
        raise Invalid(
            f'{relation.where}: application "{app}" has no "{name}" relation, charm "{charm.name}" has '
            f'{_list(charm)}{hint}'
        )
    return [known[name]]


def _list(charm: charm_.Charm) -> str:
    names = [
        f'{r.name} ({r.role} {r.interface})' for r in charm.relations.values() if r.role != 'peer'
    ]
    return ', '.join(names) or 'no endpoints'


def exists(model: model_.Model, a: str, b: str) -> bool:
    """Whether the model has the relation; a side without endpoint stands for any of its application's."""
    return any(
        relation.life == 'alive'
        and len(relation.endpoints) == 2
        and (
            (_is(relation.endpoints[0], a) and _is(relation.endpoints[1], b))
            or (_is(relation.endpoints[0], b) and _is(relation.endpoints[1], a))
        )
        for relation in model.relations.values()
    )


def _is(endpoint: model_.Endpoint, side: str) -> bool:
    app, _, name = side.partition(':')
    return endpoint.application == app and (not name or endpoint.name == name)
