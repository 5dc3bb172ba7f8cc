"""`charmkit check --run`: what a text does not show is seen at work; each rule has its twin."""

# ruff: noqa: E501 -- a table
from __future__ import annotations

import json
import pathlib

import pytest
from charmkit import command
from charmkit.conformance import trial

from . import new_charms

IN_CLASS = '    """Charm for My Charm\'s API."""\n'
OTHERWISE = """
    def run(self, why, inputs):
        import dataclasses
        seen = super().run(why, inputs)
        own = seen.host
        return dataclasses.replace(seen, {})
"""
HOST = 'host=dataclasses.replace(own, {})'
SABOTAGES = {
    'runs': (IN_CLASS, IN_CLASS + OTHERWISE.format('nothing=1')),
    'generated': ("user='www-data',", "user='www-data',\n        lifecycle=charmkit.Declaration(after=('image',)),"),
    'runs-mod-wsgi': (
        IN_CLASS,
        IN_CLASS + OTHERWISE.format(HOST.format("files=tuple(f for f in own.files if 'WSGI' not in f.content)")),
    ),
    'runs-memcached': (
        IN_CLASS,
        IN_CLASS + OTHERWISE.format(HOST.format("files=tuple(f for f in own.files if 'memcached' not in f.path)")),
    ),
    'runs-drain': (
        IN_CLASS,
        IN_CLASS + "\n    def run(self, why, inputs):\n        return super().run(charmkit.Hook('config-changed'), inputs)\n",
    ),
    'runs-quietly': (
        IN_CLASS,
        IN_CLASS + OTHERWISE.format("status=(*seen.status, charmkit.Status('active', str(inputs.relations)))").replace(
            'own = seen.host', "inputs = [b for r in inputs.of('shared-db') for b in r.units.values()]"
        ).replace('str(inputs.relations)', 'str(inputs)'),
    ),
}  # fmt: skip


def found(
    charm: pathlib.Path, capsys: pytest.CaptureFixture[str], *more: str
) -> dict[str, list[str]]:
    """What is found, by rule."""
    assert command.main(['check', '--run', '--format=json', *more, str(charm)]) in (0, 1)
    (said,) = json.loads(capsys.readouterr().out)['charms']
    assert more or {rule.name for rule in trial.RULES} <= {*said['rules']}
    out: dict[str, list[str]] = {}
    for f in said['findings']:
        out.setdefault(f['rule'], []).append(f['where'])
    return out


@pytest.fixture
def charm(tmp_path: pathlib.Path) -> pathlib.Path:
    return new_charms.copied('api', tmp_path)


def test_a_clean_charm_keeps_every_rule(charm: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    assert found(charm, capsys) == {}


@pytest.mark.parametrize(
    'rule',
    [
        r if r in ('runs-drain', 'runs-quietly') else pytest.param(r, marks=pytest.mark.slow)
        for r in SABOTAGES
    ],
)
def test_a_sabotaged_one_is_found(
    rule: str, charm: pathlib.Path, capsys: pytest.CaptureFixture[str]
):
    old, new = SABOTAGES[rule]
    text = (charm / 'src/charm.py').read_text()
    assert old in text, 'the sabotage does not fit what it is to break'
    (charm / 'src/charm.py').write_text(text.replace(old, new))
    assert rule in found(charm, capsys)


def test_each_rule_has_a_sabotage():
    assert {*SABOTAGES} == {rule.name for rule in trial.RULES}


@pytest.mark.slow
@pytest.mark.parametrize(
    ('code', 'said'),
    [
        ('import os\nos._exit(3)\n', 'it ended by itself: exit status 3'),
        ('raise SystemExit(0)\n', 'it ended by itself'),
        ('import nothing_of_the_kind\n', "No module named 'nothing_of_the_kind'"),
        (
            'print(\'{"runs": []}\')\n1 / 0\n',
            'ZeroDivisionError: division by zero (src/charm.py, line ',
        ),
        ('import time\ntime.sleep(60)\n', 'it was not done after 5 seconds'),
    ],
)
def test_a_charm_that_ends_hangs_or_lies_takes_nothing_with_it(
    code: str, said: str, charm: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):  # fmt: skip
    if 'sleep' in code:
        monkeypatch.setattr(trial, 'TIMEOUT_S', 5)
    path = charm / 'src/charm.py'
    path.write_text(path.read_text().replace('\nNAME = ', f'\n{code}\nNAME = '))
    assert said in ' '.join(found(charm, capsys)['runs'])


def test_it_can_be_ignored(charm: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    every = [word for rule in trial.RULES for word in ('--ignore', rule.name)]
    (charm / 'src/charm.py').write_text((charm / 'src/charm.py').read_text() + '\n1 / 0\n')
    assert found(charm, capsys, *every) == {}


def test_what_is_packed_is_not_run(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]):
    import zipfile

    with zipfile.ZipFile(tmp_path / 'x.charm', 'w') as archive:
        archive.writestr('metadata.yaml', 'name: x')
    assert command.main(['check', '--run', str(tmp_path / 'x.charm')]) == 2
    assert '--run wants a folder, not a packed charm' in capsys.readouterr().err
