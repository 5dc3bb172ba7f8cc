"""One run of the charm: neutron-api gets to use Calico once its driver is here and etcd is known. Pure.

The driver comes as a charm resource, a wheel, and is unpacked into a folder of its own, which Python is told of by a
``.pth`` file (module ``site``). Nothing is fetched, and no package's files are touched.

Source: Calico's own documents for OpenStack (``[calico]`` in neutron's files, ``type_drivers``), and the driver itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

import charmkit
import driver_wheel
import etcd_store
import for_python3
from charmkit import host, neutron_plugins, options, releases, state, subordinate

RESOURCE = 'networking-calico'
RELATION = 'etcd'
STORE = 'etcd'
"""The name in the unit's memory of the etcd that is in force."""
DRIVERS = 'drivers'
"""The name there of the folders of drivers that are on the machine."""
_MOST = 2
ENDPOINT = 'etcd-endpoint'
PRINCIPAL = neutron_plugins.principal('neutron-plugin')
ML2 = '/etc/neutron/plugins/ml2/ml2_conf.ini'
HOME = '/usr/local/lib/networking-calico'
PACKAGES = ('python3-etcd3gw', 'python3-keystoneclient')
"""What the driver imports, and no package of neutron's asks for; neutron-api installs them with its own."""
TRUSTED = '/etc/ssl/certs/ca-certificates.crt'
PYTHONS = {'debian@12': '3.11', 'ubuntu@24.04': '3.12', 'debian@13': '3.13'}
"""The Python of each base."""
_FILE = 'networking_calico-3.12.0-py3-none-any.whl'
_PEM = '/etc/neutron/calico-etcd-{}.pem'
_POINTER = '/usr/local/lib/python{}/dist-packages/networking-calico.pth'
OPTIONS = (
    options.Option(
        ENDPOINT,
        options.Kind(
            'string',
            'an address such as http://10.0.0.5:2379',
            lambda text: not text or etcd_store.at(text) is not None,
        ),
        '',
        'Address of etcd; it takes precedence over what is related. The driver speaks to one address: of several '
        'members, give what stands before them. With `https` the certificates of the relation `etcd` are shown, where '
        "it is related; else etcd's certificate must be of an authority that the machine trusts.",
    ),
)


@dataclasses.dataclass(frozen=True)
class Resource:
    """The charm resource."""

    content: bytes = b''
    """b'' where none is attached."""
    failure: str = ''
    """Why Juju does not give it now, in its words."""


def run(why: charmkit.Why, inputs: charmkit.Inputs, attached: Resource) -> charmkit.Desired:
    """What follows from *why* this run is, *inputs*, and the resource that is *attached*."""
    if why.removing:
        return charmkit.Desired(host=cleared(inputs))
    if not inputs.of(PRINCIPAL.relation):
        told = state.Status('blocked', f'relate {PRINCIPAL.relation} to neutron-api')
        return charmkit.Desired(
            host=cleared(inputs), status=(told,), memory={STORE: {}, DRIVERS: []}
        )
    choice = where(inputs)
    driver, said = _driver(inputs, attached)
    if said:
        return _going_on(inputs, state.Status('blocked', said))
    if driver is None or choice.store is None:
        return _going_on(inputs, *choice.status)
    if PRINCIPAL.read(inputs.of(PRINCIPAL.relation), inputs.site) is None:
        return _going_on(inputs, _waits(PRINCIPAL.relation, PRINCIPAL.name))
    folders = list(dict.fromkeys((folder(driver), *_drivers(inputs))))[:_MOST]
    return charmkit.Desired(
        host=host.merge(
            installed(driver, PYTHONS[inputs.facts.base]), shown(choice.store), _tidied(folders)
        ),
        unit_data={PRINCIPAL.relation: backend(inputs, driver, choice.store)},
        version=driver.version,
        status=choice.status,
        memory={
            STORE: etcd_store.remembered(inputs.of(RELATION), choice.store),
            DRIVERS: folders,
        },
    )


@dataclasses.dataclass(frozen=True)
class Choice:
    """Which etcd it is to be."""

    store: etcd_store.Etcd | None = None
    """None while it is not known: what was published to neutron-api before stays in force."""
    status: tuple[state.Status, ...] = ()


def where(inputs: charmkit.Inputs) -> Choice:
    """The one where the operator says that it is, or else a member of what is related, with that one's certificates."""
    said = etcd_store.at(str(inputs.options[ENDPOINT]))
    found = inputs.of(RELATION)
    if not found:
        none = f'relate {RELATION} to a charm of etcd, or set {ENDPOINT}'
        return Choice(said) if said else Choice(status=(state.Status('blocked', none),))
    reply = etcd_store.related(found, inputs.site.unit, _in_force(inputs))
    if said and not said.tls:
        plain = f'{ENDPOINT} is without https, and the certificates of {RELATION} are not used'
        there = reply.wrong or (reply.store and reply.store.certificate)
        return Choice(said, (state.Status('active', plain),) if there else ())
    if reply.wrong:
        return Choice(status=(state.Status('blocked', f'{RELATION}: {reply.wrong}'),))
    if reply.store is None:
        return Choice(status=(_waits(RELATION, "etcd's members"),))
    return Choice(
        dataclasses.replace(reply.store, host=said.host, port=said.port, tls=said.tls)
        if said
        else reply.store
    )


def _waits(relation: str, name: str) -> state.Status:
    return state.Status('waiting', f'waiting for {relation}: {name}')


def _in_force(inputs: charmkit.Inputs) -> Mapping[str, Any]:
    """What :func:`etcd_store.remembered` made of the etcd that was published to neutron-api; nothing before."""
    kept = inputs.memory.get(STORE)
    told = any(r.published for r in inputs.of(PRINCIPAL.relation))
    return cast('Mapping[str, Any]', kept) if told and isinstance(kept, Mapping) else {}


def _going_on(inputs: charmkit.Inputs, *status: state.Status) -> charmkit.Desired:
    """What was published to neutron-api before stays, with its files; *status* says so."""
    url = _in_force(inputs).get('url')
    more = f'; neutron-api goes on with {url}' if url else ''
    return charmkit.Desired(
        status=tuple(dataclasses.replace(s, message=f'{s.message}{more}') for s in status)
    )


def _driver(inputs: charmkit.Inputs, attached: Resource) -> tuple[driver_wheel.Wheel | None, str]:
    """The driver, and why there is none that will do."""
    release = releases.OF_BASE.get(inputs.facts.base)
    if release is None:
        return None, f'{inputs.facts.base} is no base of this charm: {", ".join(releases.OF_BASE)}'
    way = f'juju attach-resource {inputs.site.app} {RESOURCE}={_FILE}'
    if attached.failure:
        return None, f'resource-get {RESOURCE}: {attached.failure}; if none is attached: {way}'
    if not attached.content:
        return None, f'the resource {RESOURCE} is empty: {way}'
    try:
        found = driver_wheel.read(attached.content)
        if folder(found) not in _drivers(inputs):  # Else it was taken before.
            driver_wheel.compiled(found)
    except ValueError as e:
        return None, f'the resource {RESOURCE}: {e}'
    if found.version == for_python3.VERSION and release != releases.ZED:
        return None, (
            f'networking-calico {found.version} goes with neutron of zed, and here is {release.name}: '
            'attach a newer one'
        )
    return found, ''


def folder(driver: driver_wheel.Wheel) -> str:
    """The name of its folder in :data:`HOME`."""
    return f'{driver.version}-{driver.digest}'


def installed(driver: driver_wheel.Wheel, python: str) -> host.Host:
    """The *driver* where the *python* of this machine finds it."""
    at = f'{HOME}/{folder(driver)}'
    found = (host.File(path=f'{at}/{path}', content=text) for path, text in driver.files.items())
    told = host.File(path=_POINTER.format(python), content=f'{at}\n')
    return host.Host(files=(*found, told))


def shown(store: etcd_store.Etcd | None) -> host.Host:
    """What shows the *store* who asks; nothing of what was shown to another one stays on the machine."""
    pems = {
        'ca': store.ca if store else '',
        'certificate': store.certificate if store else '',
        'key': store.key if store else '',
    }
    return host.Host(
        files=tuple(
            host.File(path=_PEM.format(name), content=text, group='neutron', mode=0o640)
            for name, text in pems.items()
            if text
        ),
        absent=tuple(
            host.Absent(path=_PEM.format(name)) for name, text in pems.items() if not text
        ),
    )


def cleared(inputs: charmkit.Inputs) -> host.Host:
    """Nothing of the charm is left on the machine."""
    pointers = tuple(host.Absent(path=_POINTER.format(p)) for p in PYTHONS.values())
    # What was removed once may have come again since: each removal is one of its own.
    gone = host.Command(
        name='remove networking-calico', argv=('rm', '-rf', '--', HOME), key=str(inputs.now)
    )
    return host.merge(
        shown(None), host.Host(absent=pointers, commands=(gone,) if _drivers(inputs) else ())
    )


def _drivers(inputs: charmkit.Inputs) -> list[str]:
    """The folders in :data:`HOME` that an earlier run has left, the one in force first."""
    kept = inputs.memory.get(DRIVERS)
    every = cast('list[object]', kept) if isinstance(kept, list) else []
    return [each for each in every if isinstance(each, str)]


def _tidied(folders: list[str]) -> host.Host:
    """Of drivers, *folders* alone are left: what runs has the one before in use until neutron-api starts it anew."""
    if len(folders) < _MOST:
        return host.Host()
    others = (word for name in folders for word in ('!', '-name', name))
    argv = ('find', HOME, '-mindepth', '1', '-maxdepth', '1', *others, '-exec', 'rm', '-rf', '--')
    tidy = host.Command(
        name='older networking-calico', argv=(*argv, '{}', '+'), key=' '.join(folders)
    )
    return host.Host(commands=(tidy,))


def calico_section(store: etcd_store.Etcd) -> dict[str, str]:
    """How the driver reaches *store*."""
    found = {'etcd_host': store.host, 'etcd_port': str(store.port)}
    if store.tls:  # The driver takes to TLS as soon as one of its files is named.
        found['etcd_ca_cert_file'] = _PEM.format('ca') if store.ca else TRUSTED
    if store.tls and store.certificate:
        found['etcd_cert_file'] = _PEM.format('certificate')
        found['etcd_key_file'] = _PEM.format('key')
    return found


def backend(
    inputs: charmkit.Inputs, driver: driver_wheel.Wheel, store: etcd_store.Etcd
) -> dict[str, str]:
    """What is published to neutron-api; what else it has of its own stays.

    Calico has no networks but one, which all servers are routed in: networks of tenants are of type `local`.
    """
    own = PRINCIPAL.read(inputs.of(PRINCIPAL.relation), inputs.site) or neutron_plugins.Principal()
    wanted = neutron_plugins.Backend(
        name='calico',
        service_plugins=','.join(own.service_plugins),
        mechanism_drivers='calico',
        tenant_network_types='local',
        extension_drivers=','.join(own.extension_drivers),
    )
    pems = host.digest('\n'.join((store.ca, store.certificate, store.key)))
    more = subordinate.extras(packages=PACKAGES, restart=f'{driver.digest}-{pems}')
    return neutron_plugins.databag(wanted, {ML2: {'calico': calico_section(store)}}, **more)
