"""From merged YAML to a :class:`Bundle`: every key known, every value of its kind, every name defined.

Source: Charmcraft's reference of bundle.yaml and the checks of Juju's charm package. All problems are reported at
once, each with file and line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from .. import bases as bases_
from .. import charm as charm_
from .. import constraints as constraints_
from .. import findings
from .. import placement as placement_
from .document import Invalid, Node
from .merge import is_path
from .nouns import Bundle, BundleApplication, BundleMachine, BundleRelation, Placement

_TOP = (
    'applications', 'machines', 'relations', 'saas', 'series', 'default-base', 'bundle', 'type', 'name',
    'description', 'docs', 'issues', 'source', 'website', 'tags', 'variables', 'summary', 'services',
)  # fmt: skip
_APPLICATION = (
    'charm', 'channel', 'revision', 'series', 'base', 'num_units', 'scale', 'placement', 'to', 'options',
    'annotations', 'constraints', 'storage', 'devices', 'bindings', 'resources', 'expose',
    'exposed-endpoints', 'trust', 'offers', 'plan', 'comment',
)  # fmt: skip
_MACHINE = ('constraints', 'annotations', 'series', 'base')
_NAME = re.compile(r'[a-z][a-z0-9]*(-[a-z0-9]*[a-z][a-z0-9]*)*')
_CONTAINERS = ('lxd', 'kvm', 'lxc')
_PLACEMENT = re.compile(r'(?:(?P<box>[a-z]+):)?(?P<target>[a-z0-9][a-z0-9-]*)(?:/(?P<unit>\d+))?')


class _Reader:
    def __init__(self) -> None:
        self.problems: list[str] = []

    def problem(self, node: Node, text: str) -> None:
        self.problems.append(node.at(text))

    def mapping(self, node: Node | None, what: str) -> Mapping[str, Node]:
        if node is None or node.value is None:
            return {}
        if not isinstance(node.value, dict):
            self.problem(node, f'{what} must be a mapping')
        return node.items

    def elements(self, node: Node | None, what: str) -> list[Node]:
        if node is None or node.value is None:
            return []
        value: Any = node.value
        if isinstance(value, dict):
            self.problem(node, f'{what} must be a list')
        return node.elements if isinstance(value, list) else [node]

    def text(self, node: Node | None, what: str) -> str:
        if node is None or node.value is None:
            return ''
        if isinstance(node.value, (dict, list)):
            self.problem(node, f'{what} must be text')
            return ''
        if isinstance(node.value, bool):
            return 'true' if node.value else 'false'
        return str(node.value)

    def truth(self, node: Node | None, what: str) -> bool:
        if node is None or node.value is None:
            return False
        if not isinstance(node.value, bool):
            self.problem(node, f'{what} must be true or false')
        return node.value is True

    def count(self, node: Node | None, what: str) -> int:
        if node is None or node.value is None:
            return 0
        value: Any = node.value
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            self.problem(node, f'{what} must be a whole number, 0 or more')
            return 0
        if value > placement_.MOST_AT_ONCE:
            self.problem(node, f'{what} is {value}: at most {placement_.MOST_AT_ONCE}')
            return 0
        return value

    def texts(self, node: Node | None, what: str) -> dict[str, str]:
        return {k: self.text(v, f'{what}: "{k}"') for k, v in self.mapping(node, what).items()}

    def base(self, entry: Mapping[str, Node], what: str, key: str = 'base') -> charm_.Base | None:
        for name in (key, 'series'):
            node = entry.get(name)
            if node is not None and node.value is not None:
                return self.attempt(node, bases_.parse, what)
        return None

    def attempt(self, node: Node, parse: Callable[[str], Any], what: str) -> Any:
        try:
            return parse(self.text(node, what))
        except charm_.Invalid as error:
            self.problem(node, f'{what}: {error}')
            return None

    def keys(self, entry: Mapping[str, Node], known: tuple[str, ...], what: str) -> None:
        for key, node in entry.items():
            if key not in known:
                self.problem(node, f'{what}: unknown key "{key}"{findings.near(key, known)}')


def read(document: Node) -> Bundle:
    """The bundle that *document* describes.

    Raises:
        Invalid: all that is wrong with it.
    """
    reader = _Reader()
    top = document.items
    for key, node in top.items():
        hint = findings.near(key, _TOP) if key not in _TOP else ''
        if hint and key not in ('local_overlay_enabled', 'comment'):
            reader.problem(node, f'unknown key "{key}"{hint}')
    kind = top.get('bundle') or top.get('type')
    if kind is not None and str(kind.value) == 'kubernetes':
        reader.problem(kind, 'a bundle for Kubernetes: only machine charms can run here')
    if not reader.mapping(top.get('applications'), '"applications"'):
        reader.problem(
            top.get('applications', document), 'a bundle needs at least one application'
        )
    machines = {
        id_: _machine(reader, id_, node)
        for id_, node in reader.mapping(top.get('machines'), '"machines"').items()
    }
    applications = {
        name: _application(reader, name, node) for name, node in _entries(top.get('applications'))
    }
    saas = {
        name: _saas(reader, name, node)
        for name, node in reader.mapping(top.get('saas'), '"saas"').items()
    }
    bundle = Bundle(
        path=document.file,
        applications=applications,
        machines=machines,
        relations=tuple(_relations(reader, top.get('relations'), {*applications, *saas})),
        saas=saas,
        base=reader.base(top, 'bundle', 'default-base'),
    )
    _cross_check(reader, bundle, document)
    if reader.problems:
        raise Invalid('\n'.join(reader.problems))
    return bundle


def _entries(node: Node | None) -> list[tuple[str, Node]]:
    return list(node.items.items()) if node is not None else []


def _machine(reader: _Reader, id_: str, node: Node) -> BundleMachine:
    what = f'machine "{id_}"'
    if not id_.isdigit():
        reader.problem(node, f'{what}: a machine is named by a number')
    entry = reader.mapping(node, what)
    reader.keys(entry, _MACHINE, what)
    return BundleMachine(id_, reader.base(entry, what), _constraints(reader, entry, what))


def _constraints(reader: _Reader, entry: Mapping[str, Node], what: str) -> dict[str, Any]:
    node = entry.get('constraints')
    if node is None or node.value is None:
        return {}
    return reader.attempt(node, constraints_.parse, f'{what}: constraints') or {}


def _saas(reader: _Reader, name: str, node: Node) -> str:
    entry = reader.mapping(node, f'saas "{name}"')
    reader.keys(entry, ('url',), f'saas "{name}"')
    url = reader.text(entry.get('url'), f'saas "{name}": url')
    if '.' not in url:
        reader.problem(node, f'saas "{name}": needs a "url" such as admin/model.offer')
    return url


def _application(reader: _Reader, name: str, node: Node) -> BundleApplication:
    what = f'application "{name}"'
    if not _NAME.fullmatch(name):
        reader.problem(
            node,
            f'{what}: not an application name: lower case letters, digits and hyphens, such as my-app',
        )
    entry = reader.mapping(node, what)
    reader.keys(entry, _APPLICATION, what)
    charm_node = entry.get('charm', node)
    charm = reader.text(entry.get('charm'), f'{what}: charm')
    if not charm:
        reader.problem(
            node, f'{what}: needs a "charm": the path of a charm folder or a .charm file'
        )
    units = entry.get('num_units', entry.get('scale'))
    num_units = reader.count(units, f'{what}: num_units')
    if entry.get('placement') is not None:
        reader.problem(entry['placement'], f'{what}: "placement" is for Kubernetes; use "to"')
    expose = reader.truth(entry.get('expose'), f'{what}: expose')
    exposed = reader.mapping(entry.get('exposed-endpoints'), f'{what}: exposed-endpoints')
    if expose and exposed:
        reader.problem(
            entry['exposed-endpoints'],
            f'{what}: "exposed-endpoints" and "expose: true" exclude each other',
        )
    to = tuple(
        p
        for t in reader.elements(entry.get('to'), f'{what}: to')
        for p in _placement(reader, t, what)
    )
    if len(to) > num_units and units is not None:
        reader.problem(
            entry['to'],
            f'{what}: too many units specified in unit placement: {len(to)} for {num_units}; '
            'raise num_units or shorten "to"',
        )
    return BundleApplication(
        name=name,
        charm=charm,
        local=is_path(charm),
        where=f'{charm_node.file}:{charm_node.line}',
        base=reader.base(entry, what),
        channel=reader.text(entry.get('channel'), f'{what}: channel'),
        revision=None
        if entry.get('revision') is None
        else reader.count(entry['revision'], f'{what}: revision'),
        num_units=num_units,
        to=to,
        options={
            key: value.plain()
            for key, value in reader.mapping(entry.get('options'), f'{what}: options').items()
            if value.value is not None
        },
        annotations=reader.texts(entry.get('annotations'), f'{what}: annotations'),
        constraints=_constraints(reader, entry, what),
        storage=reader.texts(entry.get('storage'), f'{what}: storage'),
        bindings=reader.texts(entry.get('bindings'), f'{what}: bindings'),
        resources={
            key: value.value
            if isinstance(value.value, int)
            else reader.text(value, f'{what}: {key}')
            for key, value in reader.mapping(entry.get('resources'), f'{what}: resources').items()
        },
        expose=expose,
        exposed_endpoints={key: value.plain() or {} for key, value in exposed.items()},
        trust=reader.truth(entry.get('trust'), f'{what}: trust'),
        offers=_offers(reader, entry.get('offers'), what),
        places=_places(entry),
    )


def _offers(reader: _Reader, node: Node | None, what: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for name, offer in reader.mapping(node, f'{what}: offers').items():
        entry = reader.mapping(offer, f'{what}: offer "{name}"')
        endpoints = reader.elements(entry.get('endpoints'), f'{what}: offer "{name}"')
        found[name] = tuple(reader.text(e, f'{what}: offer "{name}"') for e in endpoints)
        if not endpoints:
            reader.problem(offer, f'{what}: offer "{name}" needs "endpoints"')
    return found


def _places(entry: Mapping[str, Node]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, node in entry.items():
        found[key] = f'{node.file}:{node.line}'
        for inner, value in node.items.items():
            found[f'{key}.{inner}'] = f'{value.file}:{value.line}'
    return found


def _placement(reader: _Reader, node: Node, what: str) -> list[Placement]:
    text = reader.text(node, f'{what}: to')
    match = _PLACEMENT.fullmatch(text)
    if match is None and text in _CONTAINERS:
        match = _PLACEMENT.fullmatch(f'{text}:new')
    if match is None or (match['box'] and match['box'] not in _CONTAINERS):
        reader.problem(
            node,
            f'{what}: "{text}" is no placement: use new, a machine of the bundle, an application, a unit such '
            'as mysql/0, or one of these after "lxd:"',
        )
        return []
    box = match['box'] or ''
    target, unit = match['target'], match['unit']
    if target in _CONTAINERS and not box and unit is None:
        box, target = target, 'new'
    if box in ('kvm', 'lxc'):
        reader.problem(
            node, f'{what}: "{text}": there are no {box} containers here; use "lxd:{target}"'
        )
    if target == 'new':
        return [Placement('new', container=box, text=text)]
    if target.isdigit():
        return [Placement('machine', target, container=box, text=text)]
    return [Placement('unit', target, int(unit) if unit else None, box, text)]


def _relations(reader: _Reader, node: Node | None, known: set[str]) -> list[BundleRelation]:
    found: list[BundleRelation] = []
    for relation in reader.elements(node, '"relations"'):
        sides = relation.elements
        if len(sides) != 2:
            reader.problem(relation, 'a relation has two sides: [app:endpoint, app:endpoint]')
            continue
        for a in _sides(reader, sides[0], known):
            found += [
                BundleRelation(a, b, f'{relation.file}:{relation.line}')
                for b in _sides(reader, sides[1], known)
            ]
    return found


def _sides(reader: _Reader, node: Node, known: set[str]) -> list[str]:
    """One side of a relation: a text, or several that each get a relation."""
    if isinstance(node.value, list):
        return [side for element in node.elements for side in _sides(reader, element, known)]
    text = reader.text(node, 'side of a relation')
    name = text.partition(':')[0]
    if name not in known:
        hint = findings.near(name, sorted(known))
        reader.problem(
            node, f'relation names application "{name}", which the bundle does not have{hint}'
        )
    return [text]


def _cross_check(reader: _Reader, bundle: Bundle, document: Node) -> None:
    """Placements name machines and units that there are, and every machine is used."""
    used: set[str] = set()
    for name, app in bundle.applications.items():
        place = app.places.get('to', app.where)
        for placement in app.to:
            if placement.kind == 'machine':
                used.add(placement.target)
                if placement.target not in bundle.machines:
                    reader.problems.append(
                        f'{place}: application "{name}": placement "{placement.text}" refers to a machine not '
                        'defined in this bundle: add it under "machines"'
                    )
            elif placement.kind == 'unit':
                _check_unit(reader, bundle, name, placement, place)
    machines = document.items.get('machines')
    for id_ in bundle.machines:
        if id_ not in used and machines is not None:
            reader.problem(
                machines.items[id_], f'machine "{id_}" is not referred to by a placement directive'
            )


def _check_unit(
    reader: _Reader, bundle: Bundle, name: str, placement: Placement, place: str
) -> None:
    target = bundle.applications.get(placement.target)
    head = f'{place}: application "{name}": placement "{placement.text}"'
    if target is None:
        hint = findings.near(placement.target, sorted(bundle.applications))
        reader.problems.append(
            f'{head} refers to an application that the bundle does not have{hint}'
        )
    elif placement.unit is not None and placement.unit >= target.num_units:
        reader.problems.append(
            f'{head} specifies a unit greater than the {target.num_units} unit(s) started by the target application'
        )
