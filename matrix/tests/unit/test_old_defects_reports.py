"""Defects 1 and 23 of juju-solutions/matrix 0.10 (found by reading its source), which this must not have."""

from __future__ import annotations

import asyncio
import pathlib
from xml.etree import ElementTree as ET

import rehearsal
from test_report_crashdump import Fake, take

from matrix.history import journal
from matrix.judge import panel, verdict
from matrix.report import crashdump, junit, story


def test_defect_1_the_xunit_file_counts_what_ran_and_what_failed() -> None:
    read = rehearsal.run(300)
    judged = panel.Judged('end_to_end', rehearsal.verdicts(read), 'lost', ending='failed')
    root = ET.fromstring(junit.render(story.summarise(read, [judged])))  # noqa: S314
    suite = root.findall('testsuite')[1]
    assert (suite.get('tests'), suite.get('failures'), suite.get('errors')) == ('4', '1', '1')


def test_defect_1_a_run_of_which_nothing_is_known_is_no_empty_success() -> None:
    root = ET.fromstring(junit.render(story.summarise(rehearsal.run(50), ())))  # noqa: S314
    assert all(int(one.get('errors', '0')) == 1 for one in root.findall('testsuite'))


def test_defect_23_a_dump_that_is_not_whole_says_so(tmp_path: pathlib.Path) -> None:
    whole, _ = take(Fake(), tmp_path / 'a')
    assert 'not taken' not in whole.sentence
    part, _ = take(Fake(lost=('mysql/0', 'debug-log')), tmp_path / 'b')
    assert 'not taken' in part.sentence
    assert 'mysql/0 cannot be reached' in part.sentence
    assert 'hunter2' not in part.sentence
    assert 'juju debug-log: juju fell over' in part.sentence
    assert {one.name for one in part.files} == {'glance-0.log', 'status.txt'}


def test_defect_23_nothing_that_goes_wrong_with_a_dump_hides_the_failure(
    tmp_path: pathlib.Path,
) -> None:
    (tmp_path / 'file').write_text('')
    dump, said = take(Fake(), tmp_path / 'file' / 'logs')
    assert dump.files == ()
    assert len(dump.wrong) == 4
    assert said == []
    nothing, _ = take(Fake(lost=('mysql/0', 'glance/0', 'debug-log', 'status')), tmp_path / 'c')
    assert len(nothing.wrong) == 4


def test_defect_23_the_crashdump_tool_is_believed_by_its_exit_code(tmp_path: pathlib.Path) -> None:
    tool = tmp_path / 'juju-crashdump'
    tool.write_text('#!/bin/sh\necho "cannot connect" >&2\nexit 3\n')
    tool.chmod(0o755)
    dump, _ = take(Fake(), tmp_path / 'logs', tool=str(tool))
    assert dump.wrong == ('juju-crashdump: exit code 3: cannot connect',)
    tool.write_text('#!/bin/sh\n[ "$1 $2" = "-m m" ] && touch "$7/juju-crashdump-m.tar.xz"\n')
    dump, _ = take(Fake(), tmp_path / 'logs', tool=str(tool))
    assert dump.wrong == ()
    assert (tmp_path / 'logs' / 'juju-crashdump-m.tar.xz').exists()


def test_defect_23_a_later_test_that_passes_is_not_dumped(tmp_path: pathlib.Path) -> None:
    fake = Fake()
    empty = journal.Journal(())
    passed = panel.Judged('t', (verdict.Verdict('c', verdict.Outcome.PASS, ''),), ending='passed')
    dump = crashdump.at_failure(fake, tmp_path, empty, passed, note=lambda _: None)  # type: ignore[arg-type]
    assert asyncio.run(dump) is None
    assert fake.asked == []
