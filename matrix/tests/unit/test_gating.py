"""The gate at work: what is run when, candidates that are refused, and how its answer is told."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import zipfile
from xml.etree import ElementTree as ET

import pytest
import yaml
from faultstage import MODEL
from gatestage import Service, run, several

from matrix import cli
from matrix.grammar import problem
from matrix.history import journal, redact
from matrix.judge import costs, gate
from matrix.juju import link, live
from matrix.plans import snapshot
from matrix.report import gated
from matrix.run import bundlefile, candidates, defaults, gating, options, prepare, rundir
from matrix.tasks import usage

CLEAN, SLOW = Service(), Service(latency=0.06)


def charm(path: pathlib.Path, name: str, *, file: str = 'charmcraft.yaml') -> pathlib.Path:
    path.mkdir(parents=True)
    (path / file).write_text(f'name: {name}\n')
    return path


@pytest.fixture
def bundle(tmp_path: pathlib.Path) -> bundlefile.Bundle:
    charm(tmp_path / 'charms/api', 'api')
    (tmp_path / 'bundle.yaml').write_text(
        yaml.safe_dump(
            {
                'applications': {
                    'api': {'charm': './charms/api', 'num_units': 2},
                    'store': {'charm': 'store', 'channel': 'latest/stable', 'revision': 12},
                }
            }
        )
    )
    return bundlefile.find(tmp_path)


def test_a_candidate_is_a_folder_an_archive_or_a_revision(
    bundle: bundlefile.Bundle, tmp_path: pathlib.Path
) -> None:
    folder = charm(tmp_path / 'new', 'api', file='metadata.yaml')
    packed = tmp_path / 'api.charm'
    with zipfile.ZipFile(packed, 'w') as archive:
        archive.writestr('metadata.yaml', 'name: api\n')
    for path in (folder, packed):
        some = candidates.read([('api', str(path)), ('store', '13@latest/edge')], bundle)
        assert yaml.safe_load(candidates.overlay(some)) == {
            'applications': {
                'api': {'charm': str(path)},
                'store': {'revision': 13, 'channel': 'latest/edge'},
            }
        }
        assert candidates.into(bundle, some).charms == {'api': str(path)}


@pytest.mark.parametrize(
    ('said', 'sentence'),
    [
        (('apy', 'new'), "the bundle has no application 'apy'; did you mean 'api'?"),
        (('api', 'nowhere.charm'), 'a candidate is a folder, a .charm or a revision'),
        (('api', '721'), 'which has no revisions: give a path'),
        (('api', 'other'), "this is the charm 'other', and the bundle has 'api' there"),
        (('api', 'empty'), 'is no charm: it has no metadata.yaml or charmcraft.yaml with a name'),
        (('api', 'text.charm'), 'cannot be read: File is not a zip file'),
    ],
)
def test_a_candidate_that_cannot_be_used_is_refused_before_anything_runs(
    bundle: bundlefile.Bundle,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    said: tuple[str, str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    charm(tmp_path / 'other', 'other')
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.charm').write_text('not a zip')
    with pytest.raises(problem.RefusedError) as refused:
        candidates.read([said], bundle)
    assert sentence in str(refused.value)
    assert str(refused.value).startswith(f'--replace {said[0]}={said[1]}:1: error: ')


def _zipped(path: pathlib.Path, *, flags: int = 0, method: int = 0) -> None:
    """An archive that says of its only file that it is encrypted (flags 1), or compressed in another way."""
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('metadata.yaml', 'name: api')
    raw = bytearray(path.read_bytes())
    for mark, at in ((b'PK\x03\x04', 6), (b'PK\x01\x02', 8)):
        where = raw.find(mark) + at
        raw[where], raw[where + 2] = flags, method
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ('word', 'sentence'),
    [
        ('encrypted.charm', 'is encrypted'),
        ('unknown.charm', 'compression method'),
        ('large.charm', 'metadata.yaml is larger than'),
        ('pipe', 'is neither a folder nor a file'),
        ('/dev/zero', 'is neither a folder nor a file'),
        ('loop', 'loop'),
        ('', 'nothing is named'),
        ('a' * 300, 'File name too long'),
        ('a\0b', 'null byte'),
    ],
)
def test_a_candidate_that_nobody_can_read_is_told_in_one_sentence(
    bundle: bundlefile.Bundle,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    word: str,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    _zipped(tmp_path / 'encrypted.charm', flags=1)
    _zipped(tmp_path / 'unknown.charm', method=99)
    with zipfile.ZipFile(tmp_path / 'large.charm', 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('metadata.yaml', 'name: api\n#' + 'x' * (2 << 20))
    os.mkfifo(tmp_path / 'pipe')
    (tmp_path / 'loop').symlink_to('loop')
    with pytest.raises(problem.RefusedError, match=sentence) as refused:
        candidates.read([('api', word)], bundle)
    assert str(refused.value).count('--replace') == 1


def test_one_application_is_replaced_once(
    bundle: bundlefile.Bundle, tmp_path: pathlib.Path
) -> None:
    new = str(charm(tmp_path / 'new', 'api'))
    with pytest.raises(problem.RefusedError, match='replaced twice'):
        candidates.read([('api', new), ('api', new)], bundle)


@pytest.mark.parametrize(
    ('words', 'sentence'),
    [
        ([], 'name what stands at the gate: --replace APPLICATION=CANDIDATE'),
        (
            ['--replace', 'api=new', '--runs', '4'],
            '4 runs of each side cannot be distinguished from chance',
        ),
        (['--replace', 'api=new', '-m', 'mine'], 'the gate makes its own models'),
        (['--replace', 'api'], "'api' is not KEY=VALUE"),
        (['--from', 'nowhere'], 'there are no runs of a gate here'),
    ],
)
def test_what_was_not_understood_is_said_in_a_sentence_with_exit_code_two(
    bundle: bundlefile.Bundle,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    charm(tmp_path / 'new', 'api')
    try:
        code: object = cli.main(['gate', '-p', str(bundle.file), *words])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    assert sentence in capsys.readouterr().err


def test_a_juju_that_is_lost_is_no_verdict_of_the_candidate(
    bundle: bundlefile.Bundle,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def lost(session: live.Session) -> str:
        raise error

    monkeypatch.setattr(live.Session, 'reachable', lost)
    words = ['gate', '-p', str(bundle.file), '--replace', f'api={charm(tmp_path / "new", "api")}']
    for error in (link.LinkError('no controller'), OSError('no disk'), RuntimeError('a fault')):
        assert cli.main(words) == 2
        assert str(error) in capsys.readouterr().err


def test_pairs_are_run_each_the_other_way_round() -> None:
    assert list(gating.order(3)) == [
        ('old', 1), ('new', 1), ('new', 2), ('old', 2), ('old', 3), ('new', 3),
    ]  # fmt: skip
    assert [number for _, number in gating.order(2, 5)] == [6, 6, 7, 7]


def prepared(bundle: bundlefile.Bundle) -> prepare.Prepared:
    asked = options.Options(path=bundle.file)
    return prepare.prepare(asked, bundle, defaults.read(bundle.folder), 7)


def write(one: journal.Journal, folder: pathlib.Path) -> None:
    lines = [journal.to_line(entry, redact.secrets(())) for entry in one.entries]
    (folder / rundir.JOURNAL).write_text(''.join(lines))


def both_sides(bundle: bundlefile.Bundle, tmp_path: pathlib.Path) -> gating.Sides:
    some = candidates.read([('api', str(charm(tmp_path / 'new', 'api')))], bundle)
    return gating.sides(prepared(bundle), some, tmp_path / gating.OVERLAY)


def test_both_sides_are_the_same_but_for_the_candidate(
    bundle: bundlefile.Bundle, tmp_path: pathlib.Path
) -> None:
    both = both_sides(bundle, tmp_path)
    assert both.old.options.overlay == ()
    assert both.new.options.overlay == (tmp_path / gating.OVERLAY,)
    assert both.old.options.usage
    assert both.old.options.shrink_for is None
    assert both.new.bundle.charms == {'api': str(tmp_path / 'new')}
    same = dataclasses.replace(both.new.options, overlay=())
    assert dataclasses.replace(both.new, options=same, bundle=both.old.bundle) == both.old


@pytest.mark.parametrize(
    ('new', 'code', 'answer', 'number'),
    [(CLEAN, 0, 'not worse', 5), (SLOW, 1, 'worse', 5), (Service(works=False), 1, 'worse', 5)],
)
def test_a_gate_is_decided_from_journals_and_judged_again_it_says_the_same(
    bundle: bundlefile.Bundle,
    tmp_path: pathlib.Path,
    capsys: pytest.CaptureFixture[str],
    new: Service,
    code: int,
    answer: str,
    number: int,
) -> None:
    folder = tmp_path / 'gate'
    folder.mkdir()
    ran: list[str] = []

    def once(of: prepare.Prepared, into: pathlib.Path) -> bool:
        ran.append(into.name)
        write(run(new if of.options.overlay else CLEAN, len(ran)), into)
        return True

    both = both_sides(bundle, tmp_path)
    decision = gating.decided(both, folder, 5, once, lambda side, n, one: None)
    assert (decision.result, len(ran)) == (answer, 2 * number)
    (folder / gating.CANDIDATES).write_text('b with api=new\n')
    files = [tmp_path / 'answer.json', tmp_path / 'junit.xml']
    words = ['gate', '--from', str(folder), '--json', str(files[0]), '-x', str(files[1])]
    assert cli.main(words) == code
    out = capsys.readouterr().out
    assert out.startswith(answer.upper())
    assert 'b with api=new' in out
    said = json.loads(files[0].read_text())
    assert (said['result'], said['code'], len(said['figures'])) == (
        answer, code, len(decision.differences),
    )  # fmt: skip
    suite = ET.parse(files[1]).getroot()[0]  # noqa: S314
    assert int(suite.attrib['failures']) == sum(one.worse for one in decision.differences)
    assert int(suite.attrib['tests']) == len(decision.differences)


def test_where_it_cannot_be_told_as_many_runs_again_are_made_and_then_it_is_over(
    bundle: bundlefile.Bundle, tmp_path: pathlib.Path
) -> None:
    ran: list[str] = []

    def once(of: prepare.Prepared, into: pathlib.Path) -> bool:
        ran.append(into.name)
        flaky = of.options.overlay and into.name in {'new-01', 'new-02', 'new-03'}
        write(run(Service(error_after=bool(flaky)), len(ran)), into)
        return True

    decision = gating.decided(
        both_sides(bundle, tmp_path), tmp_path, 5, once, lambda side, n, one: None
    )
    assert len(ran) == 20
    assert decision.result in {'cannot tell', 'not worse'}


def test_a_run_without_a_journal_says_nothing_and_an_interrupted_one_ends_the_gate(
    bundle: bundlefile.Bundle, tmp_path: pathlib.Path
) -> None:
    both = both_sides(bundle, tmp_path)
    told: list[str] = []
    decision = gating.decided(
        both, tmp_path, 5, lambda of, into: True, lambda side, n, one: told.append(one.broken)
    )
    assert decision.result == 'cannot tell'
    assert set(told) == {'it left no journal'}
    with pytest.raises(gating.EndedError):
        gating.decided(both, tmp_path / 'api', 5, _ends(tmp_path), lambda side, n, one: None)


def _ends(folder: pathlib.Path) -> gating.RunOnce:
    (folder / 'api').mkdir()
    return lambda of, into: False


def decision(new: Service) -> gate.Decision:
    return gate.judge(several(CLEAN, 1), several(new, 2))


def test_what_is_told_names_each_reason_with_both_ranges() -> None:
    text = gated.text(decision(SLOW), 'b with api=new', 'runs/1')
    assert text.startswith('WORSE  the median latency of get, before the faults: 29 ms (24 ms to')
    assert text.count('✘') == len(decision(SLOW).reasons)
    assert 'figures compared' in text
    assert text.endswith('evidence  runs/1\n')
    assert gated.text(decision(CLEAN), 'b').startswith('NOT WORSE  30 figures of 5 and 5 runs')


def test_github_is_told_what_is_worse_and_nothing_where_nothing_is() -> None:
    worse = gated.commands(decision(SLOW), 'bundle.yaml')
    assert 1 <= len(worse) <= 10
    assert worse[0].startswith('::error file=bundle.yaml,line=1,title=gate%3A worse::the median')
    assert gated.commands(decision(CLEAN), 'bundle.yaml') == ()
    none = gate.judge((), ())
    assert gated.commands(none, 'b')[0].startswith('::warning ')
    assert gated.summary(none, 'b').startswith('## ❔ cannot tell')


def test_a_gate_that_cannot_tell_is_an_error_of_junit_never_a_pass() -> None:
    suite = ET.fromstring(gated.junit(gate.judge((), ()), 'b'))[0]  # noqa: S314
    assert (suite.attrib['errors'], suite.attrib['tests']) == ('1', '1')


def said(host: str, memory: int = 1000) -> str:
    return f'host {host}\nmemory {memory}\nprocesses 3\nfiles 7\nconnections 2\n'


def test_machines_say_what_they_use_and_those_that_are_processes_of_one_host_do_not() -> None:
    machines = [one.id for one in MODEL.machines]
    each = {name: said(f'boot pid:[{name}]') for name in machines}
    found = usage.used(MODEL, each, 'boot pid:[own]')
    units = {one.name: len({unit.machine for unit in one.units}) for one in MODEL.applications}
    assert {name: value['memory'] for name, value in found.items()} == {  # pyright: ignore
        name: 1000 * number for name, number in units.items()
    }
    assert usage.used(MODEL, dict.fromkeys(machines, said('boot pid:[1]')), '') == {}
    assert usage.used(MODEL, {name: said('here') for name in machines[:1]}, 'here') == {}
    assert usage.used(MODEL, dict.fromkeys(machines, ''), '') == {}
    assert usage.used(snapshot.Model(), {}, '') == {}


def test_a_run_that_was_not_usable_is_told_so() -> None:
    assert gating.costs_of(pathlib.Path('nowhere')) == costs.Costs(broken='it left no journal')
