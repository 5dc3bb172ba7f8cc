#!/usr/bin/env python3
"""Charm for the OpenStack Dashboard (Horizon): the cloud in a browser."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import local_settings
import ops
import sessions
from charmkit import host, keystone, mysql

DB = mysql.need('horizon', optional=True, tls=False)
KEYSTONE = keystone.need_auth_endpoint('member')
KEY = 'secret-key'
APP = charmkit.WsgiApp(
    'horizon',
    '/usr/share/openstack-dashboard/wsgi.py',
    80,
    type='dashboard',
    health='/auth/login/',
    silence=charmkit.limits.SLOW,
    static={'/static': local_settings.STATIC_ROOT.rstrip('/')},
    aliases=('/horizon',),
)
UBUNTU = '/usr/share/openstack-dashboard/openstack_dashboard/wsgi.py'
SNIPPETS = '/etc/openstack-dashboard/local_settings.d/_000'
PACKAGED = ('1_debian_debug', '2_debian_compress_offline', '3_debian_static_root',
            '4_debian_osprofiler', '5_debian_webroot', '6_debian_cache')  # fmt: skip
"""Settings that Debian's package puts after ours, and so over them; it copies them there once."""
SITE = '/etc/apache2/conf-enabled/openstack-dashboard.conf'
"""Of Ubuntu's package, which has Apache serve it on each port."""


def settings(ready: charmkit.Ready) -> str:
    """What goes into local_settings.py."""
    site, identity = ready.inputs.site, ready[KEYSTONE]
    chosen: Mapping[str, object] = {
        'SECRET_KEY': ready.chosen[KEY],
        'OPENSTACK_KEYSTONE_URL': identity.auth_url,
        **local_settings.place(site.hosts['horizon'], site.urls['horizon']['public']),
        **sessions.settings(ready[DB] if ready.has(DB) else None),
        **local_settings.endpoints(str(ready.inputs.options['endpoint-type'])),
        **local_settings.log(debug=ready.debug),
    }
    return local_settings.render(chosen, ready.inputs.options)


def machine(ready: charmkit.Ready) -> host.Host:
    """What packages have for it is gone; sessions that are over are cleared away."""
    theirs = (
        host.Absent(path=SITE, notify=('apache2',)),
        *(host.Absent(path=f'{SNIPPETS}{n}.py', notify=('wsgi:horizon',)) for n in PACKAGED),
    )
    return host.merge(host.Host(absent=theirs), sessions.clearing(kept=ready.has(DB)))


def migrate(ready: charmkit.Ready) -> tuple[str, ...]:
    """The table of sessions, where they are in a database."""
    return (f'{sessions.MANAGE} migrate --noinput sessions',) if ready.has(DB) else ()


class DashboardCharm(charmkit.WebsiteCharm):
    """Charm for the dashboard."""

    spec = charmkit.ServiceSpec(
        name='horizon',
        user='horizon',
        packages=('openstack-dashboard', 'python3-mysqldb', 'python3-pymemcache'),
        needs=(KEYSTONE, DB),
        apps=(APP,),
        chosen=(KEY,),
        options=local_settings.OPTIONS,
        config={'/etc/openstack-dashboard/local_settings.py': settings},
        machine=machine,
        refusal=lambda inputs: sessions.not_alone(inputs, DB.relation),
        lifecycle=charmkit.Declaration(
            after=('image', 'placement', 'volumev3', 'network', 'compute', 'orchestration')
        ),
        migrations=charmkit.migration.Commands(sync=migrate),
        by_release={'caracal': {'apps': (dataclasses.replace(APP, script=UBUNTU),)}},
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(DashboardCharm)
