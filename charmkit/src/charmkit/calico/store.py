"""Which etcd networking-calico speaks to: where the operator says, or a member of what is related. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, cast

from .. import host, options, state
from ..relations import etcd

RELATION = 'etcd'
MEMORY = 'etcd'
"""The name in the unit's memory of the etcd that is in force."""
ENDPOINT = 'etcd-endpoint'
TRUSTED = '/etc/ssl/certs/ca-certificates.crt'
_PEM = '/etc/neutron/calico-etcd-{}.pem'
OPTION = options.Option(
    ENDPOINT,
    options.Kind(
        'string',
        'an address such as http://10.0.0.5:2379',
        lambda text: not text or etcd.at(text) is not None,
    ),
    '',
    'Address of etcd; it takes precedence over what is related. networking-calico speaks to one address: of several '
    'members, give what stands before them. With `https` the certificates of the relation `etcd` are shown, where '
    "it is related; else etcd's certificate must be of an authority that the machine trusts.",
)


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which etcd it is to be."""

    store: etcd.Etcd | None = None
    """None while it is not known: the one before stays in force."""
    status: tuple[state.Status, ...] = ()


def chosen(inputs: state.Inputs, before: Mapping[str, Any]) -> Choice:
    """The one where the operator says that it is, or else a member of what is related, with that one's certificates.

    *before*: what :func:`in_force` says of the one that is used now; nothing where none is.
    """
    said = etcd.at(str(inputs.options[ENDPOINT]))
    found = inputs.of(RELATION)
    if not found:
        none = f'relate {RELATION} to a charm of etcd, or set {ENDPOINT}'
        return Choice(said) if said else Choice(status=(state.Status('blocked', none),))
    reply = etcd.related(found, inputs.site.unit, before)
    if said and not said.tls:
        plain = f'{ENDPOINT} is without https, and the certificates of {RELATION} are not used'
        there = reply.wrong or (reply.store and reply.store.certificate)
        return Choice(said, (state.Status('active', plain),) if there else ())
    if reply.wrong:
        return Choice(status=(state.Status('blocked', f'{RELATION}: {reply.wrong}'),))
    if reply.store is None:
        waits = f"waiting for {RELATION}: etcd's members"
        return Choice(status=(state.Status('waiting', waits),))
    return Choice(
        dataclasses.replace(reply.store, host=said.host, port=said.port, tls=said.tls)
        if said
        else reply.store
    )


def in_force(inputs: state.Inputs) -> Mapping[str, Any]:
    """What :func:`memory` kept of the etcd that was used last; nothing before."""
    kept = inputs.memory.get(MEMORY)
    return cast('Mapping[str, Any]', kept) if isinstance(kept, Mapping) else {}


def memory(inputs: state.Inputs, store: etcd.Etcd) -> dict[str, Any]:
    """What later runs are to know of *store*, which is used."""
    return {MEMORY: etcd.remembered(inputs.of(RELATION), store)}


def goes_on(
    who: str, before: Mapping[str, Any], status: Iterable[state.Status]
) -> tuple[state.Status, ...]:
    """*status*, with the etcd that *who* uses meanwhile, the one of *before*."""
    more = f'; {who} goes on with {before["url"]}' if before.get('url') else ''
    return tuple(dataclasses.replace(s, message=f'{s.message}{more}') for s in status)


def shown(store: etcd.Etcd | None, notify: tuple[str, ...] = ()) -> host.Host:
    """What shows the *store* who asks; nothing of what was shown to another one stays on the machine.

    *notify*: services that read it when they start.
    """
    pems = {
        'ca': store.ca if store else '',
        'certificate': store.certificate if store else '',
        'key': store.key if store else '',
    }
    return host.Host(
        files=tuple(
            host.File(
                path=_PEM.format(name), content=text, group='neutron', mode=0o640, notify=notify
            )
            for name, text in pems.items()
            if text
        ),
        absent=tuple(
            host.Absent(path=_PEM.format(name), notify=notify)
            for name, text in pems.items()
            if not text
        ),
    )


def section(store: etcd.Etcd) -> dict[str, str]:
    """How networking-calico reaches *store*: what stands in ``[calico]``."""
    found = {'etcd_host': store.host, 'etcd_port': str(store.port)}
    if store.tls:  # It takes to TLS as soon as one of its files is named.
        found['etcd_ca_cert_file'] = _PEM.format('ca') if store.ca else TRUSTED
    if store.tls and store.certificate:
        found['etcd_cert_file'] = _PEM.format('certificate')
        found['etcd_key_file'] = _PEM.format('key')
    return found
