"""The small programs beside haproxy and keepalived, and how systemd runs all of them."""

from __future__ import annotations

from .. import host

FOLDER = '/usr/local/lib/openstack-haproxy'
DOWN = '/run/openstack-haproxy/down'
"""0 while the local haproxy is ready, 1 while it is not: keepalived follows it."""
CHECK_SERVICE = 'openstack-haproxy-ready'
AWAIT = f'{FOLDER}/await-configuration'
"""Ends with 0 once haproxy's current worker has the configuration that is in place."""

REAL_TIME_PRIORITY = 50
"""Of keepalived; its check comes after it."""

_CHECK = f'{FOLDER}/follow-ready'
HAPROXY_DROP_IN = '/etc/systemd/system/haproxy.service.d/openstack.conf'
KEEPALIVED_DROP_IN = '/etc/systemd/system/keepalived.service.d/openstack.conf'
NOTE = '# Written by the charm: changes are lost.\n'

ASK = """\
def ask(command):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(5)
        s.connect('/run/haproxy-master.sock')
        s.sendall(command.encode() + b'\\n')
        # The master answers and waits for more: only a half-close ends the conversation.
        s.shutdown(socket.SHUT_WR)
        return b''.join(iter(lambda: s.recv(65536), b'')).decode()
"""
"""A function in Python for a program that asks haproxy's master."""


def beside_haproxy(*, before_reload: str = '') -> host.Host:
    """How haproxy is kept running: killed, it is started again at once.

    A reload ends when the new worker serves, and fails when none comes up. *before_reload* is a
    program that is run before each reload.
    """
    before = f'ExecReload=-{before_reload}\n' if before_reload else ''
    return host.Host(
        directories=(host.Directory(path=FOLDER),),
        files=(
            host.File(path=AWAIT, content=_AWAIT_TEXT, mode=0o755),
            host.File(path=HAPROXY_DROP_IN, content=_HAPROXY.format(before=before, wait=AWAIT)),
        ),
    )


def beside_keepalived(ready_port: int) -> host.Host:
    """What tells keepalived whether the local haproxy is ready. *ready_port* answers ``/ready`` on loopback."""
    unit = f'/etc/systemd/system/{CHECK_SERVICE}.service'
    return host.Host(
        directories=(host.Directory(path=FOLDER),),
        files=(
            host.File(
                path=_CHECK,
                content=_CHECK_TEXT.format(
                    down=DOWN, port=ready_port, priority=REAL_TIME_PRIORITY - 1
                ),
                mode=0o755,
                notify=(CHECK_SERVICE,),
            ),
            host.File(
                path=unit, content=_CHECK_UNIT.format(program=_CHECK), notify=(CHECK_SERVICE,)
            ),
            host.File(path=KEEPALIVED_DROP_IN, content=_KEEPALIVED),
        ),
        services=(host.SystemdService(CHECK_SERVICE),),
    )


_AWAIT_TEXT = f"""\
#!/usr/bin/python3 -IS
# A reload only begins when it is asked for, and one that fails leaves the old worker where it was.
import socket, sys, time

{ASK}
def current():
    for line in ask('show proc').splitlines():
        fields = line.split()
        if line.startswith('# old'):
            return ''
        if len(fields) > 1 and fields[1] == 'worker':
            return ask(f'@!{{fields[0]}} show info')
    return ''

wanted = ''
for line in open('/etc/haproxy/haproxy.cfg'):
    if line.startswith('    description '):
        wanted = line.strip()[12:]
        break
end = time.monotonic() + 10
while time.monotonic() < end:
    try:
        if f'\\ndescription: {{wanted}}\\n' in current():
            sys.exit(0)
    except (OSError, ValueError):
        pass
    time.sleep(0.05)
sys.exit('haproxy has not taken up its configuration: see journalctl -u haproxy')
"""

_HAPROXY = (
    NOTE
    + """\
# Killed, it is back in a tenth of a second, as often as that may be. A reload ends when it is over.
[Unit]
StartLimitIntervalSec=0
Wants=network-online.target
After=network-online.target

[Service]
Restart=always
RestartSec=100ms
OOMScoreAdjust=-500
ExecReload=
{before}ExecReload=/usr/sbin/haproxy -Ws -f $CONFIG -c -q $EXTRAOPTS
ExecReload=/bin/kill -USR2 $MAINPID
ExecReload={wait}
"""
)

_KEEPALIVED = (
    NOTE
    + """\
[Unit]
StartLimitIntervalSec=0
Wants=network-online.target
After=network-online.target haproxy.service openstack-haproxy-ready.service

[Service]
Restart=always
RestartSec=1
OOMScoreAdjust=-900
LimitRTPRIO=99
"""
)

_CHECK_TEXT = """\
#!/usr/bin/python3 -IS
# Asks the local haproxy whether it is ready, all the time, and writes down what changes. Not ready
# three times in a row is down; ready four times is up again, so that one that comes and goes stays away.
import os, socket, sys, time

INTERVAL_S, FALL, RISE = 0.3, 3, 4

def ready():
    try:
        with socket.create_connection(('127.0.0.1', {port}), timeout=1) as s:
            s.sendall(b'GET /ready HTTP/1.0\\r\\n\\r\\n')
            return s.recv(64).split(b' ')[1:2] == [b'200']
    except OSError:
        return False

def say(down):
    # In place: keepalived watches this very file.
    with open('{down}', 'w') as f:
        f.write(f'{{down}}\\n')

try:
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param({priority}))
except OSError as e:
    # Of keepalived as of this program: what is late on a machine that is starved looks dead.
    print(f'<4>no real-time priority on this machine ({{e.strerror}}): VIPs may move when it is starved',
          file=sys.stderr, flush=True)

os.makedirs(os.path.dirname('{down}'), exist_ok=True)
down, row = None, 0
while True:
    well = ready()
    if down is None:
        down, row = int(not well), 0
        say(down)
    elif well == bool(down):
        row += 1
        if row >= (RISE if well else FALL):
            down, row = int(not well), 0
            say(down)
    else:
        row = 0
    time.sleep(INTERVAL_S)
"""

_CHECK_UNIT = (
    NOTE
    + """\
[Unit]
Description=Tells keepalived whether haproxy is ready
After=haproxy.service
StartLimitIntervalSec=0

[Service]
ExecStart={program}
Restart=always
RestartSec=100ms
RuntimeDirectory=openstack-haproxy
RuntimeDirectoryPreserve=yes
Nice=-20
LimitRTPRIO=99
LimitRTTIME=1000000
OOMScoreAdjust=-900

[Install]
WantedBy=multi-user.target
"""
)
