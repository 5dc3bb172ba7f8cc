"""How full is full, by what `df` and the kernel say."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from charmkit import api, charm, disks, relations, service, state
from charmkit.machine import Finished
from charmkit.testing import FakeMachine
from charmkit.why import Why
from ops import testing

GIB = 1 << 30
# df --block-size=1 --output=size,avail,itotal,iavail,target, on Debian 12.
DF = """\
   1B-blocks       Avail   Inodes    IFree Mounted on
270553174016 71382142976 16777216 15882916 /
     1048576     1048576        -        - /mnt/with a blank
df: /no: No such file or directory
"""
MOUNTS = 'overlay / overlay rw,relatime 0 0\nnone /mnt/small tmpfs ro,relatime,size=1024k 0 0\n'


def disk(size: int, left: int, **more: int | bool) -> disks.Disk:
    return disks.Disk('/d', size, left, **more)  # pyright: ignore[reportArgumentType]


def test_what_df_says_is_understood():
    assert disks.disks(DF, MOUNTS) == (
        disks.Disk('/', 270553174016, 71382142976, 16777216, 15882916),
        disks.Disk('/mnt/with a blank', 1048576, 1048576),
    )


def test_a_read_only_file_system_is_seen():
    (found,) = disks.disks('1048576 1048576 0 0 /mnt/small\n', MOUNTS)
    assert [s.message for s in disks.statuses([found])] == [
        'the file system /mnt/small is mounted read-only'
    ]


@pytest.mark.parametrize('text', ['', 'nonsense', 'df: not there\n', '1 2\n', 'a b c d /e\n'])
def test_what_is_no_answer_of_df_tells_of_no_disk(text: str):
    assert disks.disks(text, text) == ()


@pytest.mark.parametrize(
    ('size', 'left', 'kind'),
    [
        (20 * GIB, 3 * GIB, ''),
        (20 * GIB, 2 * GIB, ''),
        (20 * GIB, 2 * GIB - 1, 'active'),
        (20 * GIB, GIB // 2, 'active'),
        (20 * GIB, GIB // 2 - 1, 'blocked'),
        (4 * GIB, int(0.03 * 4 * GIB) + 1, 'active'),
        (4 * GIB, int(0.03 * 4 * GIB), 'blocked'),
        (4000 * GIB, 5 * GIB, ''),
        (4000 * GIB, 5 * GIB - 1, 'active'),
        (GIB, 0, 'blocked'),
    ],
)
def test_a_share_counts_on_a_small_disk_and_an_amount_on_a_large_one(
    size: int, left: int, kind: str
):
    assert [s.kind for s in disks.statuses([disk(size, left)])] == ([kind] if kind else [])


def test_room_for_bytes_and_none_for_files_is_full_too():
    (status,) = disks.statuses([disk(20 * GIB, 10 * GIB, inodes=1000, inodes_left=9)])
    assert status.message == 'the file system /d can hold only 9 more files'
    assert not list(disks.statuses([disk(20 * GIB, 10 * GIB, inodes=1000, inodes_left=10)]))
    assert not list(disks.statuses([disk(20 * GIB, 10 * GIB)]))  # btrfs has no such limit.


MACHINE = """\
overlay / overlay rw 0 0
proc /proc proc rw 0 0
/dev/vdb /var/log ext4 rw 0 0
tmpfs /var/log tmpfs rw 0 0
/dev/vdc /var/lib/demo/images ext4 rw 0 0
server:/x /var/lib/demo/shared nfs4 rw 0 0
far@tcp:/y /var/lib/demo/far lustre rw 0 0
/dev/vdd /var/lib/demonstration ext4 rw 0 0
"""


@pytest.mark.parametrize(
    ('paths', 'found'),
    [
        (('/',), ('/',)),
        (('/', '/var/log'), ('/', '/var/log')),
        (('/var/lib/demo',), ('/', '/var/lib/demo/images')),
        (('/var/lib/demo/images/a',), ('/var/lib/demo/images',)),
        (('/var/lib/demo/shared/a',), ()),
        (('/var/log/apache2', '/var/log'), ('/var/log',)),
    ],
)
def test_those_that_hold_what_is_written_and_those_below_are_looked_at(
    paths: tuple[str, ...], found: tuple[str, ...]
):
    assert disks.local(paths, MACHINE) == found


def test_a_machine_of_which_nothing_is_known_is_not_asked():
    machine = FakeMachine()
    assert disks.ProbeDisks(('/',), below=True).carry_out(machine) == ()
    assert machine.programs == []


def test_one_that_may_hang_is_not_asked():
    machine = FakeMachine(kept={'/proc/self/mounts': MACHINE})
    disks.ProbeDisks(('/var/lib/demo',), below=True).carry_out(machine)
    assert machine.programs[0][3:] == ('/', '/var/lib/demo/images')


def test_a_unit_looks_in_each_run_and_says_what_is_full():
    inputs = state.Inputs(site=relations.Site(unit='a/0', leader=True, address='10.0.0.2'))
    asked = disks.followed(state.Desired(), inputs, '/')
    assert (asked.tasks, asked.status) == ((disks.ProbeDisks(('/',), below=True),), ())
    seen = dataclasses.replace(inputs, seen={disks.DISKS: (disk(GIB, 0),)})
    (said,) = disks.followed(state.Desired(), seen, '/').status
    assert (said.kind, 'the file system /d is full' in said.message) == ('blocked', True)


def test_what_looks_itself_looks_once():
    own = state.Desired(tasks=(disks.ProbeDisks(('/x',)),))
    inputs = state.Inputs(site=relations.Site(unit='a/0', leader=True, address='10.0.0.2'))
    assert disks.followed(own, inputs, '/') == own
    for none in (state.Desired(failure='no'), state.Desired(read_only=True)):
        assert disks.followed(none, inputs, '/') == none


SPEC = service.ServiceSpec(
    name='demo',
    user='demo',
    packages=('demo-api',),
    needs=(),
    apps=(service.WsgiApp('demo-api', '/usr/bin/demo', 8778, type='demo'),),
    config={},
)


class DemoCharm(api.ApiCharm):
    """A service."""

    spec = SPEC


class DemoAgentCharm(api.AgentCharm):
    """An agent."""

    spec = dataclasses.replace(SPEC, apps=())


class DemoOtherCharm(charm.Charm):
    """Neither."""

    def run(self, why: Why, inputs: state.Inputs) -> state.Desired:
        """Nothing."""
        return state.Desired()


@pytest.mark.parametrize(
    ('kind', 'own'), [(DemoCharm, True), (DemoAgentCharm, True), (DemoOtherCharm, False)]
)
def test_every_charm_looks_where_it_writes(
    kind: type[charm.Charm], own: bool, monkeypatch: pytest.MonkeyPatch
):
    machine = FakeMachine(kept={'/proc/self/mounts': MACHINE})
    full = 'x\n1048576 0 0 0 /var/lib/demo/images\n'
    machine.shell = lambda argv, _: Finished(0, full if argv[0] == 'df' else '')
    monkeypatch.setattr(charm.Charm, 'machine', machine)
    scenario: Any = testing
    context = scenario.Context(kind, meta={'name': 'demo', 'peers': {'peers': {'interface': 'x'}}})
    out = context.run(context.on.update_status(), scenario.State(leader=True))
    asked = [argv[3:] for argv in machine.programs if argv[0] == 'df']
    assert asked == [('/', '/var/log', *(['/var/lib/demo/images'] if own else []))]
    assert 'the file system /var/lib/demo/images is full' in out.unit_status.message
