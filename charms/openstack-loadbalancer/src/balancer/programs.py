"""Small programs that run on the unit beside the charm: on each reload, and all the time."""

from __future__ import annotations

from charmkit.proxy import haproxy, programs, tls

FOLDER = '/usr/local/lib/openstack-loadbalancer'
SAVE_PATH = f'{FOLDER}/save-server-state'
WATCH_PATH = f'{FOLDER}/watch'
WAKE_AT = f'{FOLDER}/wake-at'
"""When the charm must look again though nothing happens: seconds since the epoch; 0: never."""

SAVE = f"""\
#!/usr/bin/python3 -IS
# Keeps the state of every server for the next worker: a reload must not undo a drain.
# Ports, and whether TLS is spoken, are those of the configuration that comes: the state's own would go over them.
# Whether this unit itself is in service stands in the configuration: its server has no check, so
# where its state said "down" and the configuration does not, nothing would ever bring it up.
import os, socket

{programs.ASK}
def configured():
    ports = {{}}
    for line in open('{haproxy.CONFIG}'):
        words = line.split()
        if words[:1] == ['backend']:
            backend = words[1]
        elif words[:1] == ['server']:
            check = words[words.index('port') + 1] if 'port' in words else '0'
            tls = str(int('ssl' in words))
            ports[backend, words[1]] = words[2].rpartition(':')[2], check, tls
    return ports

state = ask('@1 show servers state')
if state.startswith('1'):
    ports = configured()
    with open('{haproxy.STATE_FILE}.new', 'w') as f:
        for line in state.splitlines():
            row = line.split()
            if row[1:2] == ['{haproxy.SELF}'] or row[3:4] == ['{tls.HERE}']:
                continue
            if row[:1] == ['#']:
                port, check, tls = (
                    row.index(f'srv_{{name}}') - 1 for name in ('port', 'check_port', 'use_ssl')
                )
            elif len(row) > 3 and (row[1], row[3]) in ports:
                row[port], row[check], row[tls] = ports[row[1], row[3]]
            f.write(' '.join(row) + '\\n')
    os.replace('{haproxy.STATE_FILE}.new', '{haproxy.STATE_FILE}')
"""

WATCH = f"""\
#!/usr/bin/python3 -IS
# Has the charm look again when a drain has come to its end on all workers, and when a server
# passes its check or fails it again; every ten seconds while requests to a drained server are
# under way; and at the time that the charm has written down. Servers that come, go and are set
# aside were changed by the charm itself.
import socket, subprocess, sys, time

{programs.ASK}
def look(before):
    passes, busy = {{}}, set()
    old = False
    for line in ask('show proc').splitlines():
        old = old or 'old workers' in line
        fields = line.split()
        if len(fields) < 2 or fields[1] != 'worker':
            continue
        away = set()
        for s in ask(f'@!{{fields[0]}} show servers state').splitlines():
            f = s.split()
            if len(f) > 6 and f[0].isdigit() and int(f[6]) & 9:
                away.add((f[1], f[3]))
        for row in ask(f'@!{{fields[0]}} show stat').splitlines():
            f = row.split(',')
            if len(f) < 37 or f[1] in ('FRONTEND', 'BACKEND', 'svname'):
                continue
            if (f[0], f[1]) in away:
                if int(f[2] or 0) + int(f[4] or 0):
                    busy.add((f[0], f[1]))
            elif not old:
                place, well = (f[0], f[1]), f[17].split()[0] in ('UP', 'no')
                # Up until its first check has ended, says haproxy: then it is as it was before a reload.
                passes[place] = before.get(place, False) if f[36].endswith('INI') else well
    return passes, busy

def news(before, now):
    return any(well != before.get(place, False) for place, well in now.items())

def wake():
    subprocess.call(['juju-exec', '-u', sys.argv[1],
        'cd "$JUJU_CHARM_DIR" && JUJU_DISPATCH_PATH=hooks/update-status ./dispatch'])

def due(before):
    # A time that has come, once.
    try:
        at = float(open('{WAKE_AT}').read() or 0)
    except (OSError, ValueError):
        return 0.0
    return at if at != before and 0 < at <= time.time() else 0.0

passes, busy, woken, rung = {{}}, set(), 0.0, 0.0
while True:
    time.sleep(1)
    if at := due(rung):
        wake()
        rung, woken = at, time.monotonic()
    try:
        now, under_way = look(passes)
    except (OSError, ValueError):
        continue
    ended = busy - under_way
    rested = time.monotonic() - woken
    if not (ended or news(passes, now) or (under_way and rested > 10)):
        passes, busy = now, under_way
    elif ended or rested > 5:
        # A server that flaps must not keep the charm busy.
        wake()
        passes, busy, woken = now, under_way, time.monotonic()
"""


def watch_service(unit: str) -> str:
    """The systemd unit of the watcher."""
    return f"""\
# Written by the charm: changes are lost.
[Unit]
Description=Tells the charm of {unit} what happens to the servers of haproxy
After=haproxy.service

[Service]
ExecStart={WATCH_PATH} {unit}
Restart=always
RestartSec=5
Environment=PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

[Install]
WantedBy=multi-user.target
"""
