"""oslo.policy under threads: what a new process of an API answers at once, and while rules change."""

from __future__ import annotations

import containers
import pytest
from charmkit import apache

pytestmark = pytest.mark.functional
PROGRAM = '/opt/tests/enforcers.py'
GUARD = '/opt/charmkit/charmkit/policy_wsgi.py'
_SAY = """
import os, sys, threading
_seen = policy.Enforcer.__init__
def _say(self, *a, **k):
    print('made', os.getpid(), threading.get_ident() == _LOADING, file=sys.stderr, flush=True)
    _seen(self, *a, **k)
policy.Enforcer.__init__ = _say
print('guarded', os.getpid(), policy.Enforcer.charm_guarded, file=sys.stderr, flush=True)
"""


@pytest.fixture(scope='module')
def policed(machine: containers.Machine) -> containers.Machine:
    """A machine with placement, which brings oslo.policy."""
    machine.give('placement')
    assert machine.reconcile('placement')['failed'] == {}
    return machine


@pytest.mark.parametrize('when', ['made', 'changed'])
def test_no_thread_is_refused_what_the_rules_allow(policed: containers.Machine, when: str):
    refused, asked = policed.sh(f'python3 -W ignore {PROGRAM} {when} {GUARD}').split()
    assert int(asked) >= 8
    assert int(refused) == 0


@pytest.mark.parametrize('when', ['made', 'changed'])
def test_the_same_threads_are_refused_without_the_guard(policed: containers.Machine, when: str):
    """The sabotaged twin: oslo.policy by itself. Not each run has a thread that asks at the wrong moment."""
    tries = (policed.sh(f'python3 -W ignore {PROGRAM} {when}').split() for _ in range(10))
    assert any(int(refused) > 0 for refused, _ in tries)


def test_each_process_has_the_guard_before_it_loads_the_application(policed: containers.Machine):
    log = '/var/log/openstack-apache/placement-api-error.log'
    was = policed.sh(f'cat {apache.POLICY}')
    try:
        policed.run('sh', '-c', f'cat >> {apache.POLICY}', stdin=_SAY)
        policed.sh(f'truncate -s 0 {log}; systemctl restart apache2')
        for _ in range(8):
            policed.sh('curl -s http://127.0.0.1:8778/resource_providers -H "X-Auth-Token: x"')
        said = policed.sh(f'cat {log} /var/log/apache2/error.log').splitlines()
    finally:
        policed.run('sh', '-c', f'cat > {apache.POLICY}', stdin=was + '\n')
        policed.sh('systemctl restart apache2')
    words = [line.split()[-3:] for line in said if len(line.split()) > 2]
    guarded = {int(pid) for what, pid, yes in words if (what, yes) == ('guarded', 'True')}
    made = {int(pid): yes for what, pid, yes in words if what == 'made'}
    assert len(guarded) == 2, said
    assert made, said
    assert made.keys() <= guarded
