"""Charms of strangers: whatever they are, `charmkit check` says sentences, within limits, and executes nothing."""

# ruff: noqa: E501 -- tables
from __future__ import annotations

import io
import os
import pathlib
import stat
import sys
import zipfile
from collections.abc import Callable

import pytest
import yaml
from charmkit import command
from charmkit.conformance import check, documents, judge, reading
from charmkit.conformance.view import View
from hypothesis import given, settings
from hypothesis import strategies as st

from . import new_charms

META = b'name: x\nsummary: x\ndescription: x\n'


def judged(view: View) -> set[str]:
    """The rules that are not kept; whatever is raised is raised."""
    found = judge(view, check.RULES)
    assert all(f.where.isprintable() and len(f.where) <= 301 for f in found.findings)
    return {f.rule for f in found.findings}


def packed(tmp_path: pathlib.Path, *entries: tuple[str | zipfile.ZipInfo, bytes], how: int = zipfile.ZIP_DEFLATED) -> str:  # fmt: skip
    path = tmp_path / 'some.charm'
    with zipfile.ZipFile(path, 'w', how) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return str(path)


def special(name: str, mode: int) -> zipfile.ZipInfo:
    found = zipfile.ZipInfo(name)
    found.external_attr = mode << 16
    return found


def test_a_packed_charm_is_read_as_its_folder_is(tmp_path: pathlib.Path):
    charm = new_charms.copied('api', tmp_path)
    files = [p for p in charm.rglob('*') if p.is_file()]
    path = packed(
        tmp_path,
        *((p.relative_to(charm).as_posix(), p.read_bytes()) for p in files),
        ('venv/lib/python3.11/site-packages/ops/x.py', b'print "2"'),
    )
    assert judged(reading.read(path)) == set()


def test_what_is_not_a_zip_is_said(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    (tmp_path / 'x.charm').write_bytes(b'PK\x03\x04 no')
    assert command.main(['check', str(tmp_path / 'x.charm')]) == 2
    assert 'not a packed charm: ' in capsys.readouterr().err


def test_a_zip_bomb_is_not_unpacked(tmp_path: pathlib.Path):
    bomb = b'a: ' + b'x' * (reading.LARGEST + 1)
    view = reading.read(packed(tmp_path, ('charmcraft.yaml', bomb), ('src/charm.py', b'')))
    assert 'charmcraft.yaml' in view.unreadable
    assert 'readable' in judged(view)


def test_a_zip_that_lies_of_its_size_is_cut_off(tmp_path: pathlib.Path):
    path = packed(tmp_path, ('charmcraft.yaml', b'x' * (reading.LARGEST * 8)))
    data = bytearray(pathlib.Path(path).read_bytes())
    at = data.rindex(b'PK\x01\x02') + 24
    data[at : at + 4] = (100).to_bytes(4, 'little')  # The size that the directory says.
    pathlib.Path(path).write_bytes(data)
    view = reading.read(path)
    assert len(view.files.get('charmcraft.yaml', b'')) <= reading.LARGEST


def test_many_files_are_not_all_looked_at(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, 'MOST_FILES', 10)
    many = [(f'src/m{n}.py', b'') for n in range(30)]
    view = reading.read(packed(tmp_path, ('metadata.yaml', META), *many))
    assert len(view.files) <= 10
    assert 'more than 10 files' in view.unreadable['']


def test_all_files_together_have_a_limit(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reading, 'MOST_BYTES', 100)
    view = reading.read(packed(tmp_path, ('metadata.yaml', META), ('src/charm.py', b'x' * 90)))
    assert 'src/charm.py' in view.unreadable


@pytest.mark.parametrize(
    'name', ['../../etc/passwd', '/etc/passwd', 'src/../../x.py', 'src\\..\\..\\x.py']
)
def test_a_path_that_leads_out_is_named_and_not_followed(name: str, tmp_path: pathlib.Path):
    view = reading.read(packed(tmp_path, ('metadata.yaml', META), (name, b'root')))
    assert [*view.files] == ['metadata.yaml']
    assert 'readable' in judged(view)


def test_links_are_not_followed(tmp_path: pathlib.Path):
    secret = tmp_path / 'secret'
    secret.write_text('name: s3cret')
    charm = tmp_path / 'charm'
    (charm / 'src').mkdir(parents=True)
    (charm / 'charmcraft.yaml').symlink_to(secret)
    (charm / 'src/charm.py').symlink_to(secret)
    (charm / 'lib').symlink_to('/')
    (charm / 'src/loop').symlink_to('.')
    view = reading.read(str(charm))
    assert view.files == {}
    assert {'charmcraft.yaml', 'src/charm.py'} <= {*view.unreadable}
    assert 's3cret' not in repr(judge(view, check.RULES))
    link = special('charmcraft.yaml', stat.S_IFLNK | 0o777)
    inside = reading.read(packed(tmp_path, (link, b'/etc/passwd')))
    assert inside.files == {}


def test_what_is_no_file_holds_nobody(tmp_path: pathlib.Path):
    os.mkfifo(tmp_path / 'charmcraft.yaml')
    (tmp_path / 'src').mkdir()
    os.mkfifo(tmp_path / 'src/charm.py')
    assert 'readable' in judged(reading.read(str(tmp_path)))


def test_an_encrypted_entry_and_one_that_is_there_twice_are_named(tmp_path: pathlib.Path):
    with pytest.warns(UserWarning, match='Duplicate name'):
        path = packed(tmp_path, ('metadata.yaml', META), ('src/a.py', b'1'), ('src/a.py', b'2'))
    assert reading.read(path).unread['src/a.py'] == 'it is there twice'
    data = bytearray(pathlib.Path(packed(tmp_path, ('metadata.yaml', META))).read_bytes())
    data[data.rindex(b'PK\x01\x02') + 8] |= 1
    pathlib.Path(tmp_path / 'some.charm').write_bytes(data)
    assert reading.read(str(tmp_path / 'some.charm')).unread['metadata.yaml'] == 'it is encrypted'


LAUGHS = b'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n' + b''.join(
    b'a%d: &a%d [%s]\n' % (n, n, b', '.join([b'*a%d' % (n - 1)] * 10)) for n in range(1, 12)
)


@pytest.mark.parametrize(
    ('data', 'said'),
    [
        (LAUGHS, 'aliases counted as what they stand for'),
        (b'[' * 5000, 'nested more than'),
        (b'{' * 5000 + b'}' * 5000, 'nested more than'),
        (b'a: ' * 3 + b'b', 'not valid YAML'),
        (b'a: &a [*a]', ''),
        (b'x: \xff\xfe', 'not UTF-8'),
        (b'x' * (documents.MOST_BYTES + 1), 'bytes, more than'),
        (b'- x\n' * 30_000, 'more than 20000 values'),
        (b'!!python/object/apply:os.system ["touch /tmp/x"]', 'not valid YAML'),
        (b'!!python/name:os.system', 'not valid YAML'),
        (b'? [a, b]\n: c', ''),
        (b'? {a: b}\n: c', 'not valid YAML'),
        (b'a: 2026-99-99', ''),
        (b'a: ' + b'9' * 5000, 'not valid YAML'),
        (b'a: 1:99:99\n', ''),
        (b'a: !!int x', 'not valid YAML'),
        (b'a: !!float ""', ''),
        (b'a: \x00', 'not valid YAML'),
        (b'--- a\n--- b\n', 'not valid YAML'),
        (b'%YAML 9.9\n--- a', ''),
        (b'<<: [1, 2]', 'not valid YAML'),
        (b'a: !!binary "%%%"', ''),
        (b'a: !!set {b, [c]}', ''),
    ],
)  # fmt: skip
def test_yaml_that_hurts_is_refused_in_a_sentence(data: bytes, said: str):
    try:
        documents.load(data)
    except documents.UnreadableError as e:
        assert said in str(e)
        assert len(str(e)) < 300
    else:
        assert not said
    judged(View('x', {'charmcraft.yaml': data, 'lifecycle.yaml': data, 'config.yaml': data}))


SOURCES = [
    b'(' * 10_000,
    b'-' * 20_000 + b'1',
    b'x = ' + b'[' * 90 + b']' * 90,
    b'x = ' + b'a.' * 5000 + b'b',
    b'x = ' + b'1 + ' * 5000 + b'1',
    b'\x00',
    b'# coding: utf-7\nimport charmkit',
    b'# coding: nothing\nx = 1',
    b'\xef\xbb\xbfimport charmkit\n',
    b'def f():\n' + b' ' * 200 + b'pass\n',
    b'x = 9' + b'9' * 6000,
    b'match x:\n  case [*_, *_]: pass\n',
    b'x = "\\d"\nassert (1, 2)\n',
]


@pytest.mark.parametrize('source', SOURCES, ids=lambda s: repr(s[:20]))
def test_code_that_hurts_is_refused_in_a_sentence(source: bytes):
    judged(View('x', {'charmcraft.yaml': META, 'src/charm.py': source}))


def test_nothing_of_it_is_executed(tmp_path: pathlib.Path):
    charm = new_charms.copied('api', tmp_path)
    mark = tmp_path / 'executed'
    code = f'import pathlib; pathlib.Path({str(mark)!r}).touch()\n'
    for name in ('src/charm.py', 'src/extra.py', 'conftest.py', 'setup.py', 'sitecustomize.py'):
        path = charm / name
        path.write_text((path.read_text() if path.exists() else '') + code)
    before = {*sys.modules}
    assert command.main(['check', str(charm)]) == 0
    assert not mark.exists()
    assert not {m for m in {*sys.modules} - before if m.startswith(('charm.', 'my_charm'))}


# Anything at all.

SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 99999), st.floats(allow_nan=False),
    st.text(max_size=12), st.sampled_from(['container', 'keystone', 'mysql-shared', 'string', 'int', 'juju >= 3.6']),
)  # fmt: skip
KEYS = st.one_of(
    st.sampled_from(
        ['name', 'summary', 'description', 'requires', 'provides', 'peers', 'config', 'options', 'actions', 'params',
         'parts', 'prime', 'links', 'documentation', 'assumes', 'bases', 'run-on', 'platforms', 'subordinate', 'type', 'default',
         'interface', 'scope', 'optional', 'identity-service', 'shared-db', 'version', 'way', 'ways', 'releases', 'after',
         'behind', 'mix-needs', 'pause', 'minimum', 'series', 'extra-bindings', 'debug', 'license']
    ),
    st.text(max_size=8),
    st.integers(0, 3),
)  # fmt: skip
TREES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(KEYS, inner, max_size=6)),
    max_leaves=30,
)
PIECES = st.lists(
    st.sampled_from(
        ['import charmkit', 'import ops', 'from charmkit import idle, mysql', 'idle.exit_if_idle()', 'class A(charmkit.ApiCharm):',
         '    spec = charmkit.ServiceSpec(name="x", packages=P, apps=(charmkit.WsgiApp(*T),), masked=P)', '    pass', 'P = (P, "python-x")', 'T = T',
         'T = ("a", "/b", 1)', 'DB = mysql.need(x.y[0])', '_log.info(f"{password}", *token)', 'print(**secrets)', 'run([admin_token])',
         'host.File(content=password, mode=True)', 'os.chmod(x, -1)', 'raise E(a["token"][b])', 'keystone_authtoken(*a)', 'x: int', 'ServiceSpec',
         'charmkit.migration.Commands(**x)', 'eval(x)', 'yaml.load(x)', 'class B(A, charmkit.AgentCharm, metaclass=M): ...', '\t', '"""', '#!x']
    ),
    max_size=14,
).map('\n'.join)  # fmt: skip


@given(
    st.fixed_dictionaries({}, optional={n: TREES for n in ('charmcraft.yaml', 'metadata.yaml', 'config.yaml', 'actions.yaml', 'lifecycle.yaml')}),
    st.one_of(PIECES, st.text(max_size=80)),
    st.binary(max_size=60),
)  # fmt: skip
@settings(max_examples=150)
def test_any_charm_gets_sentences(documents_: dict[str, object], source: str, project: bytes):
    files = {
        name: yaml.safe_dump(tree, allow_unicode=True).encode()
        for name, tree in documents_.items()
    }
    files |= {'src/charm.py': source.encode('utf-8', 'replace'), 'pyproject.toml': project}
    judged(View('x', files))


@given(st.binary(max_size=400))
def test_any_bytes_are_yaml_or_not(data: bytes):
    judged(View('x', {'charmcraft.yaml': data, 'src/charm.py': data}))


@given(
    damage=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=12)
)
@settings(max_examples=60)
def test_a_damaged_archive_is_read_or_refused(
    damage: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('metadata.yaml', META * 20)
        archive.writestr('src/charm.py', b'import ops\n' * 40)
    data = bytearray(out.getvalue())
    for at, value in damage:
        data[at % len(data)] = value
    path = tmp_path_factory.mktemp('damaged') / 'x.charm'
    path.write_bytes(data)
    try:
        view = reading.read(str(path))
    except reading.NoCharmError as e:
        assert str(e).startswith(str(path))
    else:
        judged(view)


# As others write them.

REACTIVE = """\
name: neutron-api-plugin-sdn
summary: SDN plugin of neutron
maintainer: Somebody <somebody@example.com>
description: |
  A plugin.
tags: [openstack]
series: [focal, jammy]
subordinate: true
provides:
  neutron-plugin-api-subordinate:
    interface: neutron-plugin-api-subordinate
    scope: container
requires:
  container:
    interface: neutron-plugin-api-subordinate
    scope: container
"""
CLASSIC = """\
name: glance
summary: OpenStack Image Registry and Delivery Service
docs: https://discourse.charmhub.io/t/glance-docs-index/11256
maintainers: [Somebody <somebody@example.com>]
description: The Glance project provides an image service.
tags: [openstack, storage, misc]
extra-bindings: {public: , admin: , internal: }
provides:
  nrpe-external-master: {interface: nrpe-external-master, scope: container}
  image-service: {interface: glance}
requires:
  shared-db: {interface: mysql-shared}
  identity-service: {interface: keystone}
  ha: {interface: hacluster, scope: container}
peers:
  cluster: {interface: glance-ha}
"""
HOOK = "#!/usr/bin/env python3\nimport sys\nprint('hook')\n"


@pytest.mark.parametrize(
    ('files', 'expected'),
    [
        (
            {'metadata.yaml': REACTIVE, 'reactive/handlers.py': HOOK, 'layer.yaml': 'includes: [layer:openstack]\n'},
            {'charmkit', 'entry', 'lifecycle', 'juju', 'tests'},
        ),
        (
            {'metadata.yaml': CLASSIC, 'config.yaml': 'options:\n  openstack-origin: {type: string, default: distro, description: x}\n  worker-multiplier: {type: float, description: x}\n',
             'actions.yaml': 'pause: {description: x}\nresume: {description: x}\n', 'hooks/install': HOOK, 'src/charm.py': 'import ops\n'},
            {'charmkit', 'mod-wsgi', 'token-cache', 'behind-load-balancers', 'options-names', 'lifecycle', 'two-bases'},
        ),
        (
            {'charmcraft.yaml': 'type: charm\nbases:\n- build-on: [{name: ubuntu, channel: "22.04"}]\n  run-on: [{name: ubuntu, channel: "22.04"}]\n', 'metadata.yaml': META.decode(),
             'src/charm.py': 'import ops\nclass X(ops.CharmBase): ...\n'},
            {'charmkit', 'two-bases', 'lifecycle', 'licence'},
        ),
        ({'metadata.yaml': ''}, {'readable'}),  # All else would seem to be missing.
        ({'src/charm.py': ''}, {'metadata', 'charmkit'}),
    ],
)  # fmt: skip
def test_others_charms_are_told_what_is_missing(
    files: dict[str, str], expected: set[str], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
):  # fmt: skip
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert command.main(['check', str(tmp_path)]) == 1
    assert expected <= judged(reading.read(str(tmp_path)))
    assert 'rules kept' in capsys.readouterr().out


def test_a_rule_that_fails_itself_is_our_fault_and_said_so(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    def falls(_: View) -> set[str]:
        raise TypeError('two\nlines')

    there: Callable[..., object] = falls
    monkeypatch.setattr(check, 'judge', there)
    charm = new_charms.copied('monitoring', tmp_path)
    assert command.main(['check', str(charm)]) == 2
    err = capsys.readouterr().err
    assert 'a fault of charmkit' in err
    assert err.count('\n') == 1
