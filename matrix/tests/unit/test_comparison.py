# a table is read by its lines
"""Two runs beside each other, and a run as Prometheus' text."""

from __future__ import annotations

import pathlib
import re

import pytest
import rehearsal
from chronicle import Line, fault, of_parts, op
from hypothesis import given
from hypothesis import strategies as st

from matrix import cli
from matrix.history import journal, journalfile, redact
from matrix.judge import panel
from matrix.plans import streams
from matrix.report import comparison, metrics, story


def run(seed: int, *, slower: float = 1.0, bad: float = 0.0) -> journal.Journal:
    """A run of three hundred requests, before and while a fault strikes."""
    chance = streams.stream(seed, 'comparison')
    parts: list[Line] = [fault(100, 101, 160)]
    for n in range(300):
        how = 'fail' if chance.random() < bad else 'ok'
        parts.append(op(n / 2, how=how, took=0.05 * chance.lognormvariate(0, 0.4) * slower))
    return of_parts(*parts)


def test_of_the_same_service_nothing_is_worse() -> None:
    found = comparison.compare(run(1).entries, run(2).entries)
    assert {(one.kind, one.period) for one in found} == {('get', 'before'), ('get', 'during')}
    assert not any(one.worse or one.faster for one in found)


def test_slower_answers_and_more_failures_are_told_and_the_other_way_round_they_are_not() -> None:
    slow = comparison.compare(run(1).entries, run(2, slower=1.5).entries)
    assert all(one.slower and one.worse for one in slow)
    quick = comparison.compare(run(1, slower=1.5).entries, run(2).entries)
    assert all(one.faster and not one.worse for one in quick)
    failing = comparison.compare(run(1).entries, run(2, bad=0.2).entries)
    assert all(one.worse and not one.slower for one in failing)


@given(
    st.lists(st.floats(0, 10), min_size=1, max_size=60),
    st.lists(st.floats(0, 10), min_size=1, max_size=60),
)
def test_a_chance_is_one_and_does_not_depend_on_which_is_first(
    a: list[float], b: list[float]
) -> None:
    a, b = sorted(a), sorted(b)
    found = comparison.kolmogorov(a, b)
    assert 0 <= found <= 1
    assert found == comparison.kolmogorov(b, a)
    assert comparison.kolmogorov(a, a) == 1


_SAMPLE = re.compile(r'[a-z_]+\{([a-z]+="([^"\\\n]|\\["\\n])*",?)*\} (\+?[0-9.e+-]+|nan)')


@pytest.mark.parametrize('hostile', ['', ' "x"\\\n</script>'])
def test_a_run_is_text_that_prometheus_reads(hostile: str) -> None:
    read = rehearsal.run(200, hostile=hostile)
    judged = panel.Judged('end_to_end', rehearsal.verdicts(read), 'lost', ending='failed')
    text = metrics.render(story.summarise(read, [judged]))
    lines = text.splitlines()
    assert lines[-1] == '# EOF'
    assert all(line.startswith('# ') or _SAMPLE.fullmatch(line) for line in lines)
    assert 'matrix_check{' in text
    counts = [line for line in lines if line.startswith('matrix_operation_seconds_count')]
    assert sum(int(line.rpartition(' ')[2]) for line in counts) == 200


def test_the_commands_print_what_they_say(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, slower in (('a', 1.0), ('b', 2.0)):
        folder = tmp_path / name
        folder.mkdir()
        entries = run(1, slower=slower).entries
        text = ''.join(journal.to_line(one, redact.secrets(())) for one in entries)
        (folder / 'journal.jsonl').write_text(text)
        assert journalfile.read(folder / 'journal.jsonl').problems == ()
    assert cli.main(['compare', str(tmp_path / 'a'), str(tmp_path / 'a')]) == 0
    assert 'nothing is worse beyond chance' in capsys.readouterr().out
    assert cli.main(['compare', str(tmp_path / 'a'), str(tmp_path / 'b')]) == 101
    assert '✘ get before: p50' in capsys.readouterr().out
    assert cli.main(['metrics', str(tmp_path / 'a'), '-o', str(tmp_path / 'run.prom')]) == 0
    assert (tmp_path / 'run.prom').read_text().endswith('# EOF\n')
    assert cli.main(['coverage', str(tmp_path)]) == 2
    assert 'no run here whose faults were drawn' in capsys.readouterr().err
