"""Looks at services and neighbours from a struck machine: `python3 -c PROBE WHAT ARGUMENTS…`.

Standard library only. Every look is bounded in time, and prints one word or line.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import email.utils
import functools
import re
import secrets
import socket
import subprocess
import sys
import time
from pathlib import Path

NOT_OURS = re.compile(
    r'(ssh|sshd|dbus|cron|snapd|rpcbind|exim4|postfix|chrony|chronyd|ntp|ntpsec|getty@.*|user@.*|unattended-upgrades'
    r'|polkit|rsyslog|systemd-.*|jujud-.*|matrix-.*|networkd-dispatcher|multipathd|ModemManager|udisks2)\.service'
)


def family(host: str) -> socket.AddressFamily:
    """The family of an address."""
    return socket.AF_INET6 if ':' in host else socket.AF_INET


def touch(host: str, port: int, within: float) -> str:
    """What becomes of a connection: `open`, `refused` (somebody is there), or `lost`."""
    with socket.socket(family(host), socket.SOCK_STREAM) as one:
        one.settimeout(within)
        try:
            one.connect((host, port))
        except ConnectionRefusedError:
            return 'refused'
        except OSError:
            return 'lost'
        return 'open'


def reach(within: str, port: str, *hosts: str) -> str:
    """Those of `hosts` that answer at all, be it with a refusal."""
    with concurrent.futures.ThreadPoolExecutor(max(1, len(hosts))) as pool:
        said = list(
            pool.map(functools.partial(touch, port=int(port), within=float(within)), hosts)
        )
    return ' '.join(host for host, one in zip(hosts, said) if one != 'lost')  # noqa: B905  # Python 3.9


def lost(within: str, port: str, count: str, *hosts: str) -> str:
    """How many of so many connections to each were lost."""
    wanted = [host for host in hosts for _ in range(int(count))]
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        said = list(
            pool.map(functools.partial(touch, port=int(port), within=float(within)), wanted)
        )
    return str(sum(one == 'lost' for one in said))


def delay(port: str, host: str) -> str:
    """Milliseconds that a connection takes: the median of five."""
    taken: list[float] = []
    for _ in range(5):
        before = time.monotonic()
        touch(host, int(port), 5)
        taken.append((time.monotonic() - before) * 1000)
    return f'{sorted(taken)[2]:.0f}'


def answer(host: str, port: str, within: str) -> str:
    """What a server says to a question that most understand: `answered`, `silent`, `reset`, `refused`, `lost`."""
    with socket.socket(family(host), socket.SOCK_STREAM) as one:
        one.settimeout(float(within))
        try:
            one.connect((host, int(port)))
        except ConnectionRefusedError:
            return 'refused'
        except OSError:
            return 'lost'
        try:
            one.sendall(b'GET / HTTP/1.0\r\n\r\n')
            one.recv(1)
        except ConnectionError:
            return 'reset'
        except OSError:
            return 'silent'
        return 'answered'  # To hang up in good order is an answer too.


def resets(host: str, port: str, count: str) -> str:
    """How many of so many connections were refused or reset."""
    said = [answer(host, port, '0.5') for _ in range(int(count))]
    return str(sum(one in ('refused', 'reset') for one in said))


def dns(server: str, within: str) -> str:
    """Whether a name server answers anything at all; asked three times."""
    question = secrets.token_bytes(2) + b'\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01'
    with socket.socket(family(server), socket.SOCK_DGRAM) as one:
        one.settimeout(float(within) / 3)
        for _ in range(3):
            with contextlib.suppress(OSError):
                one.connect((server, 53))
                one.send(question)
                if one.recv(512)[:2] == question[:2]:
                    return 'answered'
    return 'silent'


def skew(host: str, port: str) -> str:
    """Seconds by which a web server's date is ahead of this machine's clock; nothing where it says none."""
    with socket.create_connection((host, int(port)), 3) as one:
        one.sendall(b'GET / HTTP/1.0\r\n\r\n')
        said = re.search(rb'(?mi)^date: (.*?)\r?$', one.recv(65536))
    if said is None:
        return ''
    at = email.utils.parsedate_to_datetime(said.group(1).decode())
    return f'{at.timestamp() - time.time():.0f}'


def memcached(host: str, port: str, *words: str) -> str:
    """The first line that a memcached says to a command; what follows a backslash and n is data."""
    with socket.create_connection((host, int(port)), 3) as one:
        one.sendall(' '.join(words).replace('\\n', '\r\n').encode() + b'\r\n')
        return one.recv(4096).decode(errors='replace').splitlines()[0]


def services(pattern: str) -> str:
    """Lines `unit host:port`: services that listen, or all that run and whose name `pattern` matches; by name."""
    found = (
        {one: '-' for one in running() if re.fullmatch(f'({pattern})\\.service', one)}
        if pattern
        else {}
    )
    for name, at in listening():
        ours = name in found if pattern else not NOT_OURS.fullmatch(name)
        if ours and found.get(name, '-') == '-':
            found[name] = at
    return '\n'.join(f'{name} {at}' for name, at in sorted(found.items()))


def workers(pattern: str) -> str:
    """Lines `unit host:port`: services with a user of their own that serve no other machine (what works from a queue).

    `host:port` is `-` where they do not listen at all. Where there is a `pattern`, those whose name it matches.
    """
    heard = dict(listening())
    abroad = {name for name, at in heard_at() if not local(at)}
    names = [
        name
        for name in running()
        if not NOT_OURS.fullmatch(name)
        and name not in abroad
        and (not pattern or re.fullmatch(f'({pattern})\\.service', name))
    ]
    own_user = users_of(names)
    found = {
        name: heard.get(name, '-') for name in names if own_user.get(name, 0) not in (0, 65534)
    }
    return '\n'.join(f'{name} {at}' for name, at in sorted(found.items()))


def users_of(names: list[str]) -> dict[str, int]:
    """The user id of each service's main process; none where it has none."""
    if not names:
        return {}
    said = subprocess.run(
        ['systemctl', 'show', '--property=Id', '--property=MainPID', *names],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    found: dict[str, int] = {}
    for block in said.split('\n\n'):
        values = dict(line.split('=', 1) for line in block.splitlines() if '=' in line)
        with contextlib.suppress(OSError):
            found[values.get('Id', '')] = Path(f'/proc/{values.get("MainPID") or 0}').stat().st_uid
    return found


def local(at: str) -> bool:
    """Whether only this machine itself reaches what listens there, as `ss` says it."""
    host = at.rpartition(':')[0].partition('%')[0].strip('[]').removeprefix('::ffff:')
    return host == '::1' or host.startswith('127.')


def running() -> list[str]:
    """Every service that runs."""
    states = ('list-units', '--type=service', '--state=running', '--plain', '--no-legend')
    said = subprocess.run(
        ['systemctl', *states], capture_output=True, text=True, check=False
    ).stdout
    return [line.split()[0] for line in said.splitlines() if line]


def listening() -> list[tuple[str, str]]:
    """Services and where this machine reaches what they listen at, in a steady order."""
    return [(name, own(at)) for name, at in heard_at()]


def heard_at() -> list[tuple[str, str]]:
    """Services and where they listen, as `ss` says it, in a steady order."""
    said = subprocess.run(['ss', '-ltnpH'], capture_output=True, text=True, check=False).stdout
    found: list[tuple[str, str]] = []
    for line in sorted(said.splitlines()):
        names = {unit(pid) for pid in re.findall(r'pid=(\d+)', line)} - {''}
        found += [(name, line.split()[3]) for name in sorted(names)]
    return found


def data() -> str:
    """Lines `unit directory`: what below /var/lib belongs to the user of a service that listens."""
    ours = {name for name, _ in listening() if not NOT_OURS.fullmatch(name)}
    users: dict[int, set[str]] = {}
    for process in Path('/proc').glob('[0-9]*'):
        name = unit(process.name) if ours else ''
        with contextlib.suppress(OSError):
            uid = process.stat().st_uid
            if name in ours and uid not in (0, 65534):
                users.setdefault(uid, set()).add(name)
    found = [
        f'{name} {folder}'
        for folder in Path('/var/lib').iterdir()
        if folder.is_dir() and not folder.is_symlink()
        for name in users.get(folder.stat().st_uid, ())
    ]
    return '\n'.join(sorted(found))


def facts(**patterns: str) -> list[str]:
    """Words for what faults look for here; a trade's, where a service of its pattern runs."""
    names = running()
    words = ['python3']
    words += ['service'] if services('') else []
    words += ['worker'] if workers('') else []
    words += [
        trade
        for trade, pattern in patterns.items()
        if any(re.fullmatch(f'({pattern})\\.service', name) for name in names)
    ]
    words += ['agent'] if any(name.startswith('jujud-machine-') for name in names) else []
    words += ['data'] if data() else []
    words += ['vip'] if virtual() else []
    servers = re.findall(r'(?m)^nameserver\s+(\S+)', Path('/etc/resolv.conf').read_text())
    return words + (['dns'] if servers and dns(servers[0], '6') == 'answered' else [])


def words(*trades: str) -> str:
    """The facts, one a line; `trades` are `name=pattern`."""
    return '\n'.join(f'fact {one}' for one in facts(**dict(each.split('=', 1) for each in trades)))


def unit(pid: str) -> str:
    """The systemd service that a process belongs to."""
    try:
        text = Path(f'/proc/{pid}/cgroup').read_text()
    except OSError:
        return ''
    names = re.findall(r'([^/\n]+\.service)(?=/|$)', text, re.M)
    return names[-1] if names else ''


def own(at: str) -> str:
    """Where this machine itself reaches what listens at `at`."""
    host, _, port = at.rpartition(':')
    host = host.partition('%')[0].strip('[]')
    return f'{ {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host) }:{port}'  # noqa: S104


def addresses() -> list[str]:
    """Every address of this machine."""
    said = subprocess.run(['ip', '-o', 'addr'], capture_output=True, text=True, check=False).stdout
    return [found.partition('/')[0] for found in re.findall(r' inet6? (\S+)', said)]


def virtual() -> str:
    """Addresses here that keepalived or pacemaker moves between machines."""
    files = [*Path('/etc/keepalived').glob('**/*.conf'), Path('/var/lib/pacemaker/cib/cib.xml')]
    text = '\n'.join(one.read_text(errors='replace') for one in files if one.is_file())
    blocks = re.findall(r'virtual_ipaddress(?:_excluded)?\s*\{(.*?)\}', text, re.S)
    blocks += re.findall(r'name="(?:ip|ipv6addr)" value="([^"]+)"', text)
    moved = {word.partition('/')[0] for block in blocks for word in block.split()}
    return ' '.join(sorted(moved & {*addresses()}))


def holds(address: str) -> str:
    """Whether this machine has the address: `yes` or `no`."""
    return 'yes' if address in addresses() else 'no'


LOOKS = {
    one.__name__: one
    for one in (
        *(reach, lost, delay, answer, resets, dns, skew, memcached),
        *(services, workers, virtual, holds, data, words),
    )
}

if __name__ == '__main__':
    print(LOOKS[sys.argv[1]](*sys.argv[2:]))
