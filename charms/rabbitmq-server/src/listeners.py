"""Where a node that runs takes clients: plain, by TLS, or both, changed without a restart. One task.

What is looked at is what clients see: the ports, and the certificate that a handshake is answered with. The node reads
its file when a client comes, through a cache that it forgets on a command (documentation of Erlang's ``ssl``). A
port is closed only while nobody is connected by it: that would break what the charm knows nothing of.
"""

from __future__ import annotations

import dataclasses
import json
import re
from typing import Literal

import broker
import charmkit
from charmkit.proxy import tls
from charmkit.relations import rabbitmq

PEM = '/etc/rabbitmq/charm-certificate.pem'
"""The certificate, who has issued it, and its key."""
LISTEN = 'listeners'
VERSIONS = ('tlsv1.2', 'tlsv1.3')
SUITES = (*tls.CIPHERS.split(':'), *tls.SUITES.split(':'))
"""Mozilla's intermediate profile (Server Side TLS)."""
Verb = Literal['open-plain', 'open-tls', 'take-up', 'close-plain']
_SEEN = re.compile(
    r'plain (true|false) (\d+) tls (true|false) ([0-9a-f]{64}|none) idle (true|false)'
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Seen:
    """Where a node listens."""

    plain: bool = False
    connected: int = 0
    """Clients that have come without TLS, and are there."""
    tls: bool = False
    shown: str = ''
    """SHA-256 of the certificate with which it answers, in hexadecimal digits; '' for none."""
    idle: bool = False
    """An operator has it in maintenance mode: its ports are none of the charm's then."""
    wrong: str = ''
    """What could not be done or seen, in RabbitMQ's own words."""


@dataclasses.dataclass(frozen=True)
class Listen:
    """Take clients at *address*; the result is what is :class:`Seen` after that."""

    address: str
    plain: bool
    digest: str
    """Of the certificate that is to be shown (:attr:`Seen.shown`); '' for no TLS."""
    name: str = LISTEN

    def carry_out(self, machine: charmkit.Machine) -> Seen:
        """Do it, as far as it goes."""
        seen, done = _look(machine, self.address), set[Verb]()
        while (verb := plan(self, seen)) and verb not in done:
            done.add(verb)
            wrong = broker.evaluated(machine, erlang(verb, self.address))
            seen = dataclasses.replace(_look(machine, self.address), wrong=wrong)
        if self.digest and seen.shown != self.digest and not (seen.wrong or seen.idle):
            return dataclasses.replace(seen, wrong='it answers with another one')
        return seen


def plan(want: Listen, seen: Seen) -> Verb | None:
    """What is to be done next. Ports are opened before one is closed."""
    if seen.wrong or seen.idle:
        return None
    shows = bool(want.digest) and seen.shown == want.digest
    if want.plain and not seen.plain:
        return 'open-plain'
    if want.digest and not seen.tls:
        return 'open-tls'
    if want.digest and not shows:
        return 'take-up'
    closes = not want.plain and seen.plain and not seen.connected
    return 'close-plain' if closes and shows else None


def configuration(address: str) -> tuple[str, ...]:
    """The same for a node that starts: lines of ``rabbitmq.conf``. *address* is spelt as in a URL."""
    return (
        f'listeners.ssl.clients = {address}:{rabbitmq.TLS_PORT}',
        f'ssl_options.certfile = {PEM}',
        f'ssl_options.keyfile = {PEM}',
        'ssl_options.verify = verify_none',
        'ssl_options.fail_if_no_peer_cert = false',
        'ssl_options.client_renegotiation = false',
        *(f'ssl_options.versions.{n} = {v}' for n, v in enumerate(VERSIONS, 1)),
        *(f'ssl_options.ciphers.{n} = {s}' for n, s in enumerate(SUITES, 1)),
    )


def erlang(verb: Verb, address: str) -> str:
    """An expression that does it."""
    plain, secure = (f'{{{json.dumps(address)}, {p}}}' for p in _PORTS)
    match verb:
        case 'open-plain':
            return f'ok = rabbit_networking:start_tcp_listener({plain}, {_acceptors("tcp")}).'
        case 'close-plain':
            return f'ok = rabbit_networking:stop_tcp_listener({plain}).'
        case 'open-tls':
            return (
                f'ok = application:set_env(rabbit, ssl_options, {_options()}), '
                'ok = rabbit_networking:start_ssl_listener('
                f'{secure}, rabbit_networking:ensure_ssl(), {_acceptors("ssl")}).'
            )
        case 'take-up':
            return 'ok = ssl:clear_pem_cache().'


def look(address: str) -> str:
    """An expression that says where the node listens, as :func:`read` understands it."""
    plain, secure = _PORTS
    return f"""
{{ok, Here}} = inet:parse_address({json.dumps(address)}),
Ports = [P || {{listener, _, _, _, A, P, _}} <- rabbit_networking:node_listeners(node()), A =:= Here],
Plain = lists:member({plain}, Ports),
Secure = lists:member({secure}, Ports),
Connected = case Plain of
  true -> length(ranch:procs({{acceptor, Here, {plain}}}, connections));
  false -> 0
end,
Ask = fun() ->
  {{ok, S}} = ssl:connect(Here, {secure}, [{{verify, verify_none}}, {{active, false}}], 5000),
  {{ok, Der}} = ssl:peercert(S),
  ssl:close(S),
  lists:flatten([io_lib:format("~2.16.0b", [B]) || <<B>> <= crypto:hash(sha256, Der)])
end,
Shown = case Secure andalso (catch Ask()) of [_ | _] = Hex -> Hex; _ -> "none" end,
Idle = rabbit_maintenance:is_being_drained_local_read(node()),
lists:flatten(io_lib:format("plain ~w ~w tls ~w ~s idle ~w", [Plain, Connected, Secure, Shown, Idle])).
"""


def read(said: str) -> Seen:
    """Understand what it says."""
    found = _SEEN.search(said)
    if not found:
        return Seen(wrong=' '.join(said.split())[:200] or 'it says nothing')
    plain, connected, secure, shown, idle = found.groups()
    return Seen(
        plain=plain == 'true',
        connected=int(connected),
        tls=secure == 'true',
        shown='' if shown == 'none' else shown,
        idle=idle == 'true',
    )


def _look(machine: charmkit.Machine, address: str) -> Seen:
    return read(broker.ctl(machine, 'eval', look(address)).output)


def _options() -> str:
    versions = ', '.join(f"'{v}'" for v in VERSIONS)
    return (
        f'[{{certfile, "{PEM}"}}, {{keyfile, "{PEM}"}}, {{verify, verify_none}}, '
        '{fail_if_no_peer_cert, false}, {client_renegotiation, false}, '
        f'{{versions, [{versions}]}}, {{ciphers, [{", ".join(map(json.dumps, SUITES))}]}}]'
    )


def _acceptors(kind: str) -> str:
    return f'application:get_env(rabbit, num_{kind}_acceptors, 10)'


_PORTS = (rabbitmq.PORT, rabbitmq.TLS_PORT)
