"""What a hook of these charms may ask and tell, by the hook tools; and how a charm runs its one service."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import subprocess

CHARM = pathlib.Path(os.environ.get('JUJU_CHARM_DIR', '.'))
UNIT = os.environ.get('JUJU_UNIT_NAME', '')
HOOK = os.environ.get('JUJU_DISPATCH_PATH', '').rpartition('/')[2]

UNIT_FILE = """\
[Unit]
Description={name}, a service of the bundle that juju matrix is tested with
After=network.target
StartLimitIntervalSec=0

[Service]
# bug: {bug}
User={name}
StateDirectory={name}
AmbientCapabilities={capabilities}
ExecStart=/usr/bin/python3 -u /opt/{name}/serve.py
Restart=always
RestartSec=1

[Install]
WantedBy=multi-user.target
"""


def run(*argv: str) -> str:
    """The standard output of a command that must succeed."""
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE).stdout.strip()


def ask(*argv: str):
    """What a hook tool says."""
    return json.loads(run(*argv, '--format=json') or 'null')


def option(name: str):
    """The value of an option."""
    return ask('config-get', name)


def leader() -> bool:
    """Whether this unit leads its application."""
    return bool(ask('is-leader'))


def address() -> str:
    """This unit's address, as others reach it."""
    return run('unit-get', 'private-address')


def bags(endpoint: str) -> dict[str, dict[str, str]]:
    """What the units on the other side of an endpoint (of a peer relation: the other units) say, by unit."""
    return {
        unit: ask('relation-get', '-r', relation, '-', unit) or {}
        for relation in ask('relation-ids', endpoint)
        for unit in ask('relation-list', '-r', relation)
    }


def app_bag(endpoint: str) -> dict[str, str]:
    """What this application's leader has said on a peer relation."""
    name = UNIT.partition('/')[0]
    found: dict[str, str] = {}
    for relation in ask('relation-ids', endpoint):
        found |= ask('relation-get', '--app', '-r', relation, '-', name) or {}
    return found


def say(endpoint: str, *, app: bool = False, **values: str) -> None:
    """Tell every relation of an endpoint something; an empty value takes a key back."""
    told = ['--app'] if app else []
    for relation in ask('relation-ids', endpoint):
        pairs = [f'{key}={value}' for key, value in values.items()]
        run('relation-set', *told, '-r', relation, *pairs)


def status(state: str, message: str) -> None:
    """Set the unit's status."""
    run('status-set', state, message)


def put(path: pathlib.Path, text: str, owner: str = 'root') -> bool:
    """Replace a file in one step, for its owner's eyes; whether it says anything new."""
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + '.new')
    aside.write_text(text)
    aside.chmod(0o600)
    shutil.chown(aside, owner)
    aside.replace(path)
    return True


def install(*packages: str) -> None:
    """Install packages."""
    get = ['apt-get', 'install', '--yes', '--quiet', '--no-install-recommends', *packages]
    if subprocess.run(get, check=False).returncode:
        run('apt-get', 'update', '--quiet')
        run(*get)


def service(name: str, settings: dict[str, object], capabilities: str = '') -> None:
    """Have a service run with these settings, which it reads anew whenever they change."""
    if HOOK == 'install':
        # What faults need of a machine, so that a run does not have to fetch it first.
        install('nftables', 'iptables', 'libfaketime')
    if subprocess.run(['id', name], check=False, capture_output=True).returncode:
        run('useradd', '--system', '--no-create-home', name)
    put(pathlib.Path(f'/etc/{name}.json'), json.dumps(settings, sort_keys=True, indent=1), name)
    code = pathlib.Path(f'/opt/{name}')
    before = _text(code)
    shutil.copytree(CHARM / 'src', code, dirs_exist_ok=True)
    new_code = before != _text(code)
    unit = UNIT_FILE.format(name=name, capabilities=capabilities, bug=settings['bug'])
    new_unit = put(pathlib.Path(f'/etc/systemd/system/{name}.service'), unit)
    if new_unit:
        run('systemctl', 'daemon-reload')
    run('systemctl', 'enable', '--quiet', name)
    run('systemctl', 'restart' if before and (new_code or new_unit) else 'start', name)


def remove(name: str) -> None:
    """Stop a service and take away what `service` made; data too."""
    run('systemctl', 'disable', '--now', '--quiet', name)
    for path in (f'/etc/systemd/system/{name}.service', f'/etc/{name}.json'):
        pathlib.Path(path).unlink(missing_ok=True)
    for path in (f'/opt/{name}', f'/var/lib/{name}'):
        shutil.rmtree(path, ignore_errors=True)


def _text(folder: pathlib.Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in sorted(folder.glob('*.py'))}
