"""One run of the charm: neutron-api gets to use Calico once its driver is here and etcd is known. Pure.

Source: Calico's own documents for OpenStack (``[calico]`` in neutron's files, ``type_drivers``), and the driver itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import charmkit
from charmkit import host, neutron_plugins, state, subordinate
from charmkit.calico import library, store, wheel
from charmkit.relations import etcd

PRINCIPAL = neutron_plugins.principal('neutron-plugin')
ML2 = '/etc/neutron/plugins/ml2/ml2_conf.ini'
PACKAGES = (library.PACKAGE, 'python3-keystoneclient')
"""What the driver imports, and no package of neutron's asks for; neutron-api installs them with its own."""
OPTIONS = (store.OPTION,)


def run(why: charmkit.Why, inputs: charmkit.Inputs) -> charmkit.Desired:
    """What follows from *why* this run is, and from *inputs*."""
    if why.removing:
        return charmkit.Desired(host=cleared(inputs))
    if not inputs.of(PRINCIPAL.relation):
        told = state.Status('blocked', f'relate {PRINCIPAL.relation} to neutron-api')
        return charmkit.Desired(
            host=cleared(inputs), status=(told,), memory={store.MEMORY: {}, library.MEMORY: []}
        )
    choice = store.chosen(inputs, _in_force(inputs))
    driver = library.attached(inputs)
    if driver.wrong:
        return _going_on(inputs, state.Status('blocked', driver.wrong))
    if driver.wheel is None or choice.store is None:
        return _going_on(inputs, *choice.status)
    if PRINCIPAL.read(inputs.of(PRINCIPAL.relation), inputs.site) is None:
        waits = f'waiting for {PRINCIPAL.relation}: {PRINCIPAL.name}'
        return _going_on(inputs, state.Status('waiting', waits))
    return charmkit.Desired(
        host=host.merge(library.installed(inputs, driver.wheel), store.shown(choice.store)),
        unit_data={PRINCIPAL.relation: backend(inputs, driver.wheel, choice.store)},
        version=driver.wheel.version,
        status=choice.status,
        memory={
            **store.memory(inputs, choice.store),
            **library.memory(inputs, driver.wheel),
        },
    )


def _in_force(inputs: charmkit.Inputs) -> Mapping[str, Any]:
    """The etcd that was published to neutron-api; nothing before."""
    told = any(r.published for r in inputs.of(PRINCIPAL.relation))
    return store.in_force(inputs) if told else {}


def _going_on(inputs: charmkit.Inputs, *status: state.Status) -> charmkit.Desired:
    """What was published to neutron-api before stays, with its files; *status* says so."""
    return charmkit.Desired(status=store.goes_on('neutron-api', _in_force(inputs), status))


def cleared(inputs: charmkit.Inputs) -> host.Host:
    """Nothing of the charm is left on the machine."""
    return host.merge(store.shown(None), library.cleared(inputs))


def backend(inputs: charmkit.Inputs, driver: wheel.Wheel, chosen: etcd.Etcd) -> dict[str, str]:
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
    pems = host.digest('\n'.join((chosen.ca, chosen.certificate, chosen.key)))
    more = subordinate.extras(packages=PACKAGES, restart=f'{driver.digest}-{pems}')
    return neutron_plugins.databag(wanted, {ML2: {'calico': store.section(chosen)}}, **more)
