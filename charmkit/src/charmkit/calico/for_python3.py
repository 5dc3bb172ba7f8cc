"""What is mended in networking-calico 3.12.0, and why: it was released for Python 2 and etcd 3.3. Pure.

Their later releases for Python 3 are in no package index, so that they are taken as they are, from whoever builds one.
Each change was found by running the driver under neutron 21 (Zed), Python 3.11, python3-etcd3gw 2.0.0 and etcd 3.4.23
of Debian 12; none changes what the driver does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

VERSION = '3.12.0'
"""The release that this is for."""
_PACKAGE = 'networking_calico'
_DRIVER = f'{_PACKAGE}/plugins/ml2/drivers/calico/mech_calico.py'
_ETCD = f'{_PACKAGE}/etcdv3.py'
_AGENT = f'{_PACKAGE}/agent/dhcp_agent.py'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Edit:
    """One change of a text."""

    old: str
    new: str
    times: int = 1
    """How often it is there: neither more nor less."""
    path: str = ''
    """The file; '' is all of them."""
    why: str


_NAMES = ('host', 'endpoint', 'orchestrator', 'workload', 'k', 'v', 'item', 'hostname')
_INTERNED = (
    'Python 3 has no built-in intern, and its text is encoded already; it only saved memory'
)
_VIEWS = 'in Python 3 what a dictionary has is no list'
_OPTIONS = 'neutron registers options where they are used, and no other module of these processes does it beforehand'
_TEXT = 'python3-etcd3gw gives bytes, where that for Python 2 gave text, which keys are compared with and split as'
EDITS = (
    Edit(
        old='.iteritems()',
        new='.items()',
        times=4,
        why='Python 3 has no iteritems',
    ),
    *(
        Edit(old=f'intern({name}.encode("utf8"))', new=name, why=_INTERNED)
        for name in (*_NAMES, 'calico_status')
    ),
    Edit(old='intern(str(nw))', new='str(nw)', why=_INTERNED),
    Edit(
        path=_AGENT,
        old='= new_subnets.values()[0]',
        new='= list(new_subnets.values())[0]',
        why=_VIEWS,
    ),
    Edit(
        path=_AGENT,
        old='+ new_subnets.values()',
        new='+ list(new_subnets.values())',
        why=_VIEWS,
    ),
    Edit(
        path=_AGENT,
        old='in self.agent.cache.get_network_ids():',
        new='in list(self.agent.cache.get_network_ids()):',
        why=f'{_VIEWS}, and this one is changed while it is gone through',
    ),
    Edit(
        path=_AGENT,
        old='if ip_addr in allowedIps:',
        new="if ip_addr in [x.split('/')[0] for x in endpoint.get('allowedIps', [])]:",
        why='what map gives in Python 3 can be looked through once, and this is for each address',
    ),
    Edit(
        path=_DRIVER,
        old='args, _, varkw, _ = inspect.getargspec(self.db.update_port_status)',
        new='args, _, varkw = inspect.getfullargspec(self.db.update_port_status)[:3]',
        why='Python 3.11 has no getargspec',
    ),
    Edit(
        path=_DRIVER,
        old='uuid.uuid4().get_hex()',
        new='uuid.uuid4().hex',
        why='Python 3 has no get_hex',
    ),
    Edit(
        path=_DRIVER,
        old='from eventlet.semaphore import Semaphore',
        new='from threading import Lock as Semaphore',
        why="under Apache requests are threads of the system, which eventlet's locks do not hold apart; where eventlet "
        'stands for threads, this lock is one of its own',
    ),
    Edit(
        path=_DRIVER,
        old='LOG = log.getLogger(__name__)\n',
        new='LOG = log.getLogger(__name__)\n'
        'from neutron.conf.agent import common as agent_options\n'
        'agent_options.register_agent_state_opts_helper(cfg.CONF)\n',
        why=f'[agent] report_interval: {_OPTIONS}',
    ),
    Edit(
        path=_DRIVER,
        old='            authcfg = cfg.CONF.keystone_authtoken\n',
        new='            from keystoneauth1 import loading\n'
        "            loading.register_auth_conf_options(cfg.CONF, 'keystone_authtoken')\n"
        "            loading.load_auth_from_conf_options(cfg.CONF, 'keystone_authtoken')\n"
        '            authcfg = cfg.CONF.keystone_authtoken\n',
        why=f'neutron-rpc-server checks no tokens: {_OPTIONS}',
    ),
    Edit(
        path=_ETCD,
        old='Etcd3AuthClient, self).__init__(host=host,',
        new='Etcd3AuthClient, self).__init__(host=host, api_path="/v3/",',
        why='etcd 3.4 has no /v3alpha/, which python3-etcd3gw asks for by default',
    ),
    Edit(
        path=_ETCD,
        old='    def authenticate(self):\n',
        new='    def get(self, *args, **kwargs):\n'
        '        found = super(Etcd3AuthClient, self).get(*args, **kwargs)\n'
        '        return [texts(x) for x in found]\n'
        '\n'
        '    def authenticate(self):\n',
        why=_TEXT,
    ),
    Edit(
        path=_ETCD,
        old='class ForceClosingWatcher(watch.Watcher):\n',
        new='def texts(found):\n'
        '    if isinstance(found, bytes):\n'
        '        return found.decode("utf-8")\n'
        '    if isinstance(found, tuple):\n'
        '        return tuple(texts(x) for x in found)\n'
        '    if isinstance(found, dict):\n'
        '        return {k: texts(v) for k, v in found.items()}\n'
        '    return found\n'
        '\n'
        '\n'
        'class ForceClosingWatcher(watch.Watcher):\n'
        '    def __init__(self, client, key, callback, **kwargs):\n'
        '        super(ForceClosingWatcher, self).__init__(\n'
        '            client, key, lambda event: callback(texts(event)), **kwargs)\n'
        '\n',
        why=f'{_TEXT}; what is watched, too',
    ),
)


def mended(files: Mapping[str, str]) -> dict[str, str]:
    """The *files* of networking-calico 3.12.0, by path, with all of :data:`EDITS`.

    Raises:
        ValueError: an edit is not for these files.
    """
    out = dict(files)
    for edit in EDITS:
        paths = [edit.path] if edit.path else [*out]
        found = sum(out.get(path, '').count(edit.old) for path in paths)
        if found != edit.times:
            raise ValueError(
                f'{edit.old.strip()!r} is {found} times in it, and not {edit.times}: it is not '
                f'{_PACKAGE} {VERSION} as its authors released it'
            )
        for path in paths:
            out[path] = out[path].replace(edit.old, edit.new)
    return out
