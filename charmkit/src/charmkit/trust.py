"""Certificate authorities that the machine trusts, as the operator relates them. Pure.

They come over ``receive-ca-cert`` (interface ``certificate_transfer``), and become part of the machine's own store,
which all of OpenStack's clients use on these distributions: keystonemiddleware and keystoneauth (by ``requests``),
``httplib2``, what is written in C. So one place covers the calls to keystone and to every other service.

What cannot be read is refused by name, and what the same relation said before stays; the end of a relation takes its
certificates away again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from . import host, state
from .relations import Relation, certificates

RELATION = 'receive-ca-cert'
MEMORY = 'trusted'
"""The name in the unit's memory of what each relation has said, and of what is in the machine's store."""
STORE = '/usr/local/share/ca-certificates'
"""Of certificates that are the machine's own (update-ca-certificates(8))."""
_MOST = 20
"""Certificates of one relation."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Trust:
    """What is trusted beside the distribution's own authorities."""

    certificates: tuple[str, ...] = ()
    """PEM, each once."""
    problems: tuple[str, ...] = ()
    """What is refused, and why."""
    memory: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    """What later runs are to know."""
    former: frozenset[str] = frozenset()
    """Paths in the store that an earlier run wrote."""
    app: str = ''


def read(inputs: state.Inputs) -> Trust:
    """What the relations say, and what they said before."""
    kept = cast('Mapping[str, Any]', inputs.memory.get(MEMORY) or {})
    before = cast('Mapping[str, list[str]]', kept.get('relations') or {})
    after: dict[str, list[str]] = {}
    problems: list[str] = []
    for relation in inputs.of(RELATION):
        known = before.get(str(relation.id), [])
        found, wrong = _said(relation, known)
        if wrong:
            problems.append(f'{RELATION}: {relation.app}: {wrong}; what it said before stays')
        after[str(relation.id)] = known if wrong or not found else found
    every = tuple(dict.fromkeys(pem for found in after.values() for pem in found))
    paths = sorted(_path(inputs.site.app, pem) for pem in every)
    return Trust(
        certificates=every,
        problems=tuple(problems),
        memory={MEMORY: {'relations': after, 'paths': paths}} if kept or after else {},
        former=frozenset(cast('list[str]', kept.get('paths') or [])),
        app=inputs.site.app,
    )


def machine(found: Trust, notify: Iterable[str] = ()) -> host.Host:
    """The machine's store with *found* in it; services *notify* are those that must take it up."""
    if not (found.certificates or found.former):
        return host.Host()
    files = tuple(
        host.File(path=_path(found.app, pem), content=f'{pem}\n', notify=tuple(notify))
        for pem in found.certificates
    )
    return host.Host(
        packages=frozenset({'ca-certificates'}),
        files=files,
        absent=tuple(
            host.Absent(path=path) for path in sorted(found.former - {f.path for f in files})
        ),
        commands=(
            host.Command(
                name='update-ca-certificates',
                argv=('update-ca-certificates',),
                key=host.digest('\n'.join(sorted(f.path for f in files))),
            ),
        ),
    )


def statuses(found: Trust) -> Iterator[state.Status]:
    """What the operator should know."""
    for text in found.problems:
        yield state.Status('blocked', text)


def _path(app: str, pem: str) -> str:
    return f'{STORE}/juju-{app}-{host.digest(pem)}.crt'


def _said(relation: Relation, known: list[str]) -> tuple[list[str], str]:
    """What *relation* says now, and what is wrong with it; *known* was found to be good before."""
    found: list[str] = []
    for text in certificates.transferred([relation]):
        blocks = [text] if text in known else certificates.pem_blocks(text)
        if not blocks:
            return [], 'it gives what is no certificate in PEM'
        for block in blocks:
            pem = block if block in known else certificates.readable(block)
            if not pem:
                return [], 'it gives a certificate that cannot be read'
            found.append(pem)
    if len(set(found)) > _MOST:
        return [], f'it gives {len(set(found))} certificates, at most {_MOST} are taken'
    return list(dict.fromkeys(found)), ''
