"""A public edge: limits of clients that two units share, headers that no client may send, and the log."""

from __future__ import annotations

import contextlib
import socket
from typing import Any

import plain_haproxy as rig
from charmkit.proxy import config

_IDENTITY = (
    'X_User_Id', 'X_Roles', 'X_Role', 'X_Project_Domain_Id', 'X_Auth_Method', 'X_Service_User_Id',
    'X_Service_Roles', 'OpenStack_System_Scope', 'X_Identity_Status', 'X_Is_Admin_Project', 'X_Tenant',
    'X_Tenant_Id', 'X_User', 'X_Domain_Id', 'X_Service_Catalog', 'X_Service_Identity_Status',
)  # fmt: skip
_OWN = (
    'X_Auth_Token', 'X_Service_Token', 'X_Subject_Token', 'OpenStack_API_Version',
    'OpenStack_Auth_Receipt', 'X_Openstack_Request_Id', 'X_Object_Meta_User',
)  # fmt: skip


def public_edge(public: bool = True, rate: int = 20, logins: int = 3) -> dict[str, Any]:
    """What clients get; *public* false: nothing is done about headers; a limit of 0 is none."""
    out: dict[str, Any] = {}
    service = rig.Service()
    with contextlib.ExitStack() as stack:
        syslog = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        syslog.bind(('127.0.0.1', 0))
        syslog.settimeout(20)
        units = stack.enter_context(rig.balancers('lb-0', 'lb-1'))
        peers = tuple(config.Peer(u.name, '127.0.0.1', rig.free_port()) for u in units)
        for unit in units:
            frontend = config.Frontend(
                name='keystone.public', binds=(config.Bind('127.0.0.1', unit.port),), backend='b',
                strict_hosts=False, public=public, requests_limit=rate, logins_limit=logins,
                max_body=1000, denied_methods=('PUT',),
            )  # fmt: skip
            server = config.Server(name='keystone-0', address='127.0.0.1', port=service.port)
            unit.start(
                config.Config(
                    unit=unit.name.replace('-', '/'), ready=config.Ready(port=unit.ready),
                    frontends=(frontend,), backends=(config.Backend(name='b', servers=(server,)),),
                    log_requests=True, peers=peers, syslog=(f'127.0.0.1:{syslog.getsockname()[1]}',),
                )
            )  # fmt: skip
        first, second = units
        rig.until(lambda: first.request()[0] == 200 and 'UP' in first.ask('show stat\n'))
        _, headers, got = first.request(**dict.fromkeys((*_IDENTITY, *_OWN), 'mine"'), Server='x')
        names = {k.lower() for k in got}
        out['claimed'] = sorted(h for h in _IDENTITY if h.lower().replace('_', '-') in names)
        out['lost'] = sorted(h for h in _OWN if h.lower().replace('_', '-') not in names)
        out['hardened'] = [headers.get('x-content-type-options'), headers.get('server')]
        out['method'] = first.request('PUT')[0]
        out['bodies'] = [first.request('POST', '/', b'x' * n)[0] for n in (1000, 1001)]
        log_in = ('POST', '/v3/auth/tokens?secret=1', b'{}')
        out['wrong passwords'] = [first.request(*log_in, want='401')[0] for _ in range(4)]
        status, headers, _ = first.request(*log_in)
        out['a right one then'] = [status, headers.get('retry-after')]
        out['not a login'] = first.request()[0]
        out['spelt otherwise'] = first.request('POST', '/v3//auth%2Ftokens', b'{}')[0]
        with contextlib.suppress(AssertionError):
            rig.until(lambda: second.request(*log_in)[0] == 429, 5)
        out['at the other unit'] = second.request(*log_in)[0]
        for _ in range(rate or 30):
            status, headers, _ = first.request()
        out['too many'] = [status, headers.get('retry-after')]
        log = first.log()
        rig.until(lambda: any(row['status'] == 429 for row in first.log()) or not logins)
        out['logged'] = [row for row in log if row['global_request_id'] == 'mine"'][:1]
        out['secret is logged'] = 'secret' in (first.folder / 'log').read_text()
        out['syslog'] = syslog.recv(9000).decode().startswith('<')
    return out


def several_certificates(verify: bool = True) -> dict[str, Any]:
    """By certificate of the unit behind: what a client gets, what the unit has seen of it, and haproxy's words.

    *verify* false: the name is of no matter, and everybody is believed.
    """
    import time

    import pki
    from charmkit import x509 as certs
    from charmkit.proxy import tls

    if not verify:
        tls.verified = lambda name, authorities: 'ssl verify none check-ssl'
    name, out = 'keystone-0.internal', dict[str, Any]()
    ca, other = pki.Authority(now=time.time()), pki.Authority('other', now=time.time())
    key = certs.new_key('s' * 64, 'server')

    def certified(by: pki.Authority, for_: str, days: float = 90) -> str:
        public = certs.own_key(key).public_key()
        return f'{by.certify(public, certs.Names.of([for_]), days)}\n{by.issuer}\n{key}'

    late = pki.Authority(now=time.time())
    late.now -= 30 * 86_400
    given = {
        'good': certified(ca, name),
        'of another name': certified(ca, 'keystone-1.internal'),
        'ended': certified(late, name, days=2),
        'of a stranger': certified(other, name),
    }
    for what, pem in given.items():
        with rig.balancers('lb-0') as (unit,):
            file = unit.folder / 'server.pem'
            file.write_text(pem)
            service = rig.Service(str(file))
            server = config.Server(
                name='keystone-0', address='127.0.0.1', port=service.port, server_name=name
            )
            front = config.Frontend(
                name='f', binds=(config.Bind('127.0.0.1', unit.port),), backend='b',
                strict_hosts=False,
            )  # fmt: skip
            unit.start(
                config.Config(
                    unit='lb/0', ready=config.Ready(port=unit.ready), frontends=(front,),
                    backends=(config.Backend(name='b', servers=(server,)),),
                    authorities=(ca.root, late.root),
                )
            )  # fmt: skip
            first = unit.request(path='/asked')[0]
            rig.until(
                lambda u=unit: 'L6RSP' in u.ask('show stat\n') or 'L7OK' in u.ask('show stat\n')
            )
            out[what] = [first, unit.request(path='/asked')[0], service.seen.count('/asked')]
    return out
