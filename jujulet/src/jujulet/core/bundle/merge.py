"""A bundle and its overlays made one: paths and includes resolved where they are declared, then merged.

Source: Juju's bundle documentation and charm package (``bundledatasrc``): maps merge deep, lists replace, a null
application is taken out together with its relations, ``machines`` replaces, relations are added.
"""

from __future__ import annotations

import base64
import posixpath
from collections.abc import Callable, Iterable, Mapping

from .document import Invalid, Node

Read = Callable[[str], bytes]

_INCLUDES = ('include-file://', 'include-base64://')


def is_path(text: str) -> bool:
    """Whether a charm or resource is given by its path: it begins with ``.`` or ``/``, or is an archive."""
    return text.startswith(('.', '/')) or text.endswith('.charm')


def beside(file: str, path: str) -> str:
    """*path*, which *file* names, seen from where *file* is seen from."""
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
    return joined if joined.startswith(('.', '/')) else f'./{joined}'


def resolved(document: Node, read: Read) -> Node:
    """*document* with ``services`` renamed, paths seen from the working folder, and included files in their place.

    Raises:
        Invalid: a file to include cannot be read.
    """
    top = dict(document.items)
    if 'services' in top:
        if 'applications' in top:
            raise Invalid(
                top['services'].at('both "applications" and "services": keep "applications"')
            )
        top['applications'] = top.pop('services')
    applications = top.get('applications')
    if applications is not None and isinstance(applications.value, dict):
        top['applications'] = _with(
            applications, {n: _application(a, read) for n, a in applications.items.items()}
        )
    return _with(document, top)


def _with(node: Node, value: object) -> Node:
    return Node(value, node.file, node.line)


def _application(app: Node, read: Read) -> Node:
    if not isinstance(app.value, dict):
        return app
    found = dict(app.items)
    charm = found.get('charm')
    if charm is not None and isinstance(charm.value, str) and is_path(charm.value):
        found['charm'] = _with(charm, beside(charm.file, charm.value))
    for key, change in (('resources', _resource), ('options', None), ('annotations', None)):
        section = found.get(key)
        if section is not None and isinstance(section.value, dict):
            entries = {
                name: change(value) if change else _included(value, read)
                for name, value in section.items.items()
            }
            found[key] = _with(section, entries)
    return _with(app, found)


def _resource(value: Node) -> Node:
    return _with(value, beside(value.file, value.value)) if isinstance(value.value, str) else value


def _included(value: Node, read: Read) -> Node:
    text = value.value
    if not isinstance(text, str) or not text.startswith(_INCLUDES):
        return value
    scheme, _, path = text.partition('://')
    place = beside(value.file, path)
    try:
        content = read(place)
    except OSError as error:
        raise Invalid(value.at(f'cannot include "{place}": {error.strerror or error}')) from None
    if scheme == 'include-base64':
        return _with(value, base64.b64encode(content).decode())
    try:
        return _with(value, content.decode())
    except UnicodeDecodeError:
        raise Invalid(
            value.at(f'cannot include "{place}": it is not text; include-base64:// takes any file')
        ) from None


def merged(base: Node, overlays: Iterable[Node]) -> Node:
    """*base* with each of *overlays* laid over it in order."""
    for over in overlays:
        base = _overlaid(base, over)
    return base


def _overlaid(base: Node, over: Node) -> Node:
    top = dict(base.items)
    gone: set[str] = set()
    for key, value in over.items.items():
        if key == 'applications' and 'applications' in top:
            gone = {n for n, a in value.items.items() if a.value is None and n in top[key].items}
            kept = {n: a for n, a in top[key].items.items() if n not in gone}
            laid = {n: a for n, a in value.items.items() if n not in gone}
            top[key] = _deep(_with(top[key], kept), _with(value, laid))
        elif key == 'relations' and 'relations' in top:
            top[key] = _with(top[key], [*top[key].elements, *value.elements])
        elif key == 'machines' or key not in top:
            top[key] = value
        else:
            top[key] = _deep(top[key], value)
    if gone and 'relations' in top:
        relations = top['relations']
        top['relations'] = _with(
            relations, [r for r in relations.elements if not _names(r) & gone]
        )
    return _with(base, top)


def _names(node: Node) -> set[str]:
    """Applications that a relation names."""
    if isinstance(node.value, list):
        return {name for element in node.elements for name in _names(element)}
    return {str(node.value).partition(':')[0]}


def _deep(base: Node, over: Node) -> Node:
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    entries: Mapping[str, Node] = {
        **base.items,
        **{
            key: _deep(base.items[key], value) if key in base.items else value
            for key, value in over.items.items()
        },
    }
    return _with(base, entries)
