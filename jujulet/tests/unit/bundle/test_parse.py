"""A bundle is read whole, or refused with file, line, and what would be right."""

from __future__ import annotations

import base64

import pytest

from jujulet.core import bundle, charm

SMALL = """\
applications:
  mysql:
    charm: ./mysql
    num_units: 1
"""


def refusal(text: str, path: str = 'b.yaml', **more: object) -> str:
    with pytest.raises(bundle.Invalid) as caught:
        bundle.parse(text, path=path, **more)  # pyright: ignore[reportArgumentType]
    return str(caught.value)


def test_the_smallest_bundle():
    found = bundle.parse(SMALL, path='b.yaml')
    app = found.applications['mysql']
    assert (app.charm, app.local, app.num_units) == ('./mysql', True, 1)


def test_units_default_to_none():
    found = bundle.parse('applications: {a: {charm: ./a}}', path='b.yaml')
    assert found.applications['a'].num_units == 0


def test_services_is_the_old_name_of_applications():
    assert 'a' in bundle.parse('services: {a: {charm: ./a}}', path='b.yaml').applications


def test_paths_are_seen_from_the_file_that_names_them():
    overlay = 'applications: {mysql: {charm: ../mine/mysql.charm, resources: {dump: data/x.sql}}}'
    found = bundle.parse(SMALL, path='a/b.yaml', overlays=[('etc/over/o.yaml', overlay)])
    app = found.applications['mysql']
    assert app.charm == './etc/mine/mysql.charm'
    assert app.resources == {'dump': './etc/over/data/x.sql'}


def test_a_name_is_left_for_whoever_knows_it():
    app = bundle.parse('applications: {u: {charm: ch:ubuntu}}', path='b.yaml').applications['u']
    assert (app.charm, app.local) == ('ch:ubuntu', False)


@pytest.mark.parametrize(
    ('text', 'line', 'says'),
    [
        ('applications:\n  a: {charm: ./a, num_unit: 1}', 2, 'did you mean "num_units"?'),
        ('aplications:\n  a: {charm: ./a}', 1, 'did you mean "applications"?'),
        ('applications:\n  a:\n    num_units: 1', 2, 'needs a "charm"'),
        ('applications:\n  a: {charm: ./a, num_units: -1}', 2, 'whole number'),
        ('applications:\n  a: {charm: ./a, num_units: true}', 2, 'whole number'),
        ('applications:\n  a: {charm: ./a, num_units: 1, to: [new, new]}', 2, 'too many units'),
        ('applications:\n  a: {charm: ./a, num_units: 1, to: 3}', 2, 'machine not defined'),
        ('applications:\n  a: {charm: ./a, num_units: 1, to: bb}', 2, 'does not have'),
        ('applications:\n  a: {charm: ./a, num_units: 1, to: "zone=x"}', 2, 'is no placement'),
        ('applications:\n  a: {charm: ./a, num_units: 1, to: "kvm:new"}', 2, 'use "lxd:new"'),
        ('applications:\n  a: {charm: ./a, num_units: 1, to: a/7}', 2, 'greater than the 1 unit'),
        ('applications:\n  a: {charm: ./a}\nmachines:\n  "0": {}', 4, 'not referred to by a placement'),
        ('applications:\n  a: {charm: ./a}\nrelations:\n- [a]', 4, 'two sides'),
        ('applications:\n  abc: {charm: ./a}\nrelations:\n- [abc, abd]', 4, 'did you mean "abc"?'),
        ('applications:\n  a: {charm: ./a, constraints: mem=lots}', 2, 'bad "mem" constraint'),
        ('applications:\n  a: {charm: ./a, base: nope}', 2, 'debian@12'),
        ('applications:\n  A_b: {charm: ./a}', 2, 'not an application name'),
        ('applications:\n  a: {charm: ./a, expose: yes please}', 2, 'true or false'),
        ('applications:\n  a: {charm: ./a}\n  a: {charm: ./b}', 3, 'given twice'),
        ('applications:\n  a: [\n', 3, 'not valid YAML'),
        ('bundle: kubernetes\napplications:\n  a: {charm: ./a}', 1, 'Kubernetes'),
        ('- a\n- b\n', 1, 'a bundle is a mapping'),
        ('', 1, 'empty'),
        ('a: &a [*a]', 1, 'holds itself'),
        ('? [a, b]\n: 1\n', 1, 'a key must be a text'),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_line(text: str, line: int, says: str):
    told = refusal(text)
    assert told.startswith(f'b.yaml:{line}: ')
    assert says in told


def test_all_faults_are_told_at_once():
    told = refusal(
        'applications:\n  a: {charm: ./a, to: 9, num_units: 1, nun_units: 2}\n  b: {}\n'
    )
    assert len(told.splitlines()) == 3


def test_a_fault_in_an_overlay_names_the_overlay():
    told = refusal(SMALL, overlays=[('over.yaml', '\napplications:\n  mysql: {optoins: {}}')])
    assert told.startswith('over.yaml:3: ')
    assert '"options"' in told


def test_anchors_that_unfold_without_end_are_refused():
    lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]']
    lines += [f'a{i}: &a{i} [{", ".join([f"*a{i - 1}"] * 10)}]' for i in range(1, 9)]
    assert 'more than' in refusal('\n'.join(lines))


def test_anchors_and_merge_keys_are_understood():
    text = """
variables:
  common: &common {debug: true, port: 1}
applications:
  a: {charm: ./a, options: &o {<<: *common, port: 2}}
  b: {charm: ./b, options: *o}
"""
    found = bundle.parse(text, path='b.yaml')
    assert found.applications['a'].options == {'debug': True, 'port': 2}
    assert found.applications['b'].options == found.applications['a'].options


def test_what_the_world_writes_beside_is_tolerated():
    text = 'comment: hi\nlocal_overlay_enabled: false\nx-mine: {}\n' + SMALL
    assert bundle.parse(text, path='b.yaml').applications


def test_series_and_bases_become_bases():
    text = """
series: jammy
applications:
  a: {charm: ./a}
  b: {charm: ./b, series: bookworm}
  c: {charm: ./c, base: debian@13, num_units: 1, to: 0}
  d: {charm: ./d, base: debian@13, num_units: 1, to: 1}
machines: {0: {series: noble}, 1: }
"""
    found = bundle.parse(text, path='b.yaml')
    wanted = {name: str(found.base_of(name)) for name in 'abcd'}
    assert wanted == {'a': 'ubuntu@22.04', 'b': 'debian@12', 'c': 'ubuntu@24.04', 'd': 'debian@13'}


def test_placements():
    text = """
applications:
  a: {charm: ./a, num_units: 6, to: [0, "lxd:0", new, lxd, b, "lxd:b/1"]}
  b: {charm: ./b, num_units: 2}
machines: {0: null}
"""
    places = bundle.parse(text, path='b.yaml').applications['a'].to
    assert [(p.kind, p.target, p.unit, p.container) for p in places] == [
        ('machine', '0', None, ''), ('machine', '0', None, 'lxd'), ('new', '', None, ''),
        ('new', '', None, 'lxd'), ('unit', 'b', None, ''), ('unit', 'b', 1, 'lxd'),
    ]  # fmt: skip


def test_a_relation_may_fan_out():
    text = SMALL + '  a: {charm: ./a}\n  b: {charm: ./b}\nrelations:\n  - ["mysql:db", [a, b]]\n'
    found = bundle.parse(text, path='b.yaml').relations
    assert [(r.a, r.b) for r in found] == [('mysql:db', 'a'), ('mysql:db', 'b')]


def read(path: str) -> bytes:
    return {'./d/key.pem': b'\xff\x00', './d/x.txt': b'hello'}[path] if 'none' not in path else b''


def test_files_are_included_in_options_and_annotations():
    text = """
applications:
  a:
    charm: ./a
    options: {one: "include-file://x.txt", two: "include-base64://key.pem"}
    annotations: {note: "include-file://x.txt"}
"""
    app = bundle.parse(text, path='d/b.yaml', read=read).applications['a']
    assert app.options == {'one': 'hello', 'two': base64.b64encode(b'\xff\x00').decode()}
    assert app.annotations == {'note': 'hello'}


def test_a_file_that_is_not_there_or_not_text_is_named():
    text = 'applications:\n  a:\n    charm: ./a\n    options: {one: "include-file://%s"}\n'
    assert refusal(text % 'gone.txt').startswith(
        'b.yaml:4: cannot include "./gone.txt": No such file'
    )
    assert 'include-base64' in refusal(text % 'key.pem', path='d/b.yaml', read=read)


def test_overlays_merge_as_juju_merges():
    base = """
applications:
  a: {charm: ./a, num_units: 1, options: {debug: true, port: 1}, bindings: {"": alpha}}
  b: {charm: ./b, num_units: 1, to: [0]}
  c: {charm: ./c}
machines: {0: {constraints: mem=1G}}
relations: [[a, b], [b, c], ["c:x", "a:y"]]
---
applications:
  c:
  a: {options: {port: 2}, to: [5]}
  b: {to: [5]}
  d: {charm: ./d}
machines: {5: }
relations: [[d, a]]
"""
    third = ('t.yaml', 'applications: {a: {num_units: 3}}')
    found = bundle.parse(base, path='b.yaml', overlays=[third])
    assert sorted(found.applications) == ['a', 'b', 'd']
    assert found.applications['a'].options == {'debug': True, 'port': 2}
    assert found.applications['a'].num_units == 3
    assert list(found.machines) == ['5']
    assert [(r.a, r.b) for r in found.relations] == [('a', 'b'), ('d', 'a')]


def test_offers_and_saas():
    text = """
applications:
  a: {charm: ./a, offers: {db: {endpoints: [shared-db], acl: {admin: admin}}}}
saas: {remote: {url: "admin/other.thing"}}
relations: [[a, remote]]
"""
    found = bundle.parse(text, path='b.yaml')
    assert found.applications['a'].offers == {'db': ('shared-db',)}
    assert found.saas == {'remote': 'admin/other.thing'}


def test_the_error_is_one_that_every_command_knows():
    assert issubclass(bundle.Invalid, charm.Invalid)


CAPTURED = """
# As the OpenStack charms' own functional tests write theirs.
variables:
  openstack-origin: &openstack-origin distro
local_overlay_enabled: False
series: &series noble
comment:
- 'machines section to decide order of deployment. database sooner = faster'
machines:
  '0':
    constraints: mem=3072M
  '1':
  '2':
    constraints: "mem=4G root-disk=20G"
applications:
  keystone-mysql-router:
    charm: ch:mysql-router
    channel: 8.0/edge
  mysql-innodb-cluster:
    charm: ch:mysql-innodb-cluster
    num_units: 3
    options: {source: *openstack-origin, innodb-buffer-pool-size: 256M, tls: false}
    to: ['0', '1', '2']
    channel: 8.0/edge
  keystone:
    expose: True
    charm: ../../keystone.charm
    num_units: 3
    options: {openstack-origin: *openstack-origin, token-provider: fernet}
    to: ['0', '1', '2']
relations:
  - ['keystone:shared-db', 'keystone-mysql-router:shared-db']
  - - "keystone-mysql-router:db-router"
    - "mysql-innodb-cluster:db-router"
"""


def test_a_bundle_as_openstack_charms_test_with():
    found = bundle.parse(CAPTURED, path='tests/bundles/noble.yaml')
    assert found.applications['keystone'].charm == './keystone.charm'
    assert found.machines['2'].constraints == {'mem': 4096, 'root-disk': 20480}
    assert str(found.base) == 'ubuntu@24.04'
    assert len(found.relations) == 2


def test_what_has_the_wrong_type_is_named():
    wrong = 'applications:\n  a: {charm: ./a, num_units: many}'
    assert 'application "a": num_units' in refusal(wrong)
    assert 'side of a relation' in refusal(
        'applications: {a: {charm: ./a}}\nrelations: [[a, {b: c}]]'
    )


def test_a_key_is_the_text_that_is_written():
    text = """
applications:
  on:
    charm: ./a
    options: {off: 1, 0x10: 2, 1_000: 3, 1e3: 4, 007: 5}
    annotations: {yes: a}
    offers: {no: {endpoints: [x]}}
    bindings: {~: dmz}
"""
    app = bundle.parse(text, path='b.yaml').applications['on']
    assert [*app.options] == ['off', '0x10', '1_000', '1e3', '007']
    assert ([*app.annotations], [*app.offers], [*app.bindings]) == (['yes'], ['no'], [''])
