"""Runs in the container: nova's own nova-compute, without a hypervisor, as `compute_on_machine.py HOST`. Not a test.

Queue, account and paths are those of the charm's nova.conf; no database, as on a compute node.
"""

from __future__ import annotations

import configparser
import importlib
import pathlib
import sys

CONF = pathlib.Path('/var/lib/nova/played-compute/nova.conf')


def main(host: str) -> None:
    """Write its configuration, and be it."""
    found = configparser.ConfigParser(interpolation=None, default_section='', strict=False)
    found.read('/etc/nova/nova.conf')
    for section in ('database', 'api_database'):
        found.remove_section(section)
    own = {
        'compute_driver': 'fake.FakeDriver',
        'host': host,
        'state_path': str(CONF.parent),
        'log_file': str(CONF.with_name('compute.log')),
    }
    found['DEFAULT'].update(own)
    (CONF.parent / 'instances').mkdir(parents=True, exist_ok=True)
    with CONF.open('w') as file:
        found.write(file)
    sys.argv = ['nova-compute', '--config-file', str(CONF)]
    importlib.import_module('nova.cmd.compute').main()


if __name__ == '__main__':
    main(sys.argv[1])
