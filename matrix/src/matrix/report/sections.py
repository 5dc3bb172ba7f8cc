"""What stands in the page, with and without scripts: cards of tables and lists. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator

import yaml

from matrix.blame import suspects
from matrix.grammar import located
from matrix.judge import verdict
from matrix.report import lanes, markup, packed, story, words

_MOST_LOG = 700_000  # characters of log excerpts on the page
_MOST_ROWS = 200  # failed operations in the table for a browser without scripts


def body(report: story.Story, timeline: str) -> Iterator[str]:
    """Everything between the page's start and its data."""
    yield from _head(report)
    worst = report.worst
    yield '<div class="grid">'
    yield markup.card('Operations', _periods(worst))
    yield markup.card('Suspects', _suspects(worst))
    yield markup.card('The smallest plan that still fails', _smallest(report))
    yield '</div>'
    yield timeline
    yield _without_scripts(report)
    yield '<div class="grid two"><div class="stack">'
    for test in report.tests:
        yield markup.card(markup.safe(test.name), _checks(test))
    yield '</div><div class="stack">'
    for test in report.tests:
        if test.faults or test.refused:
            yield markup.card(f'Faults of {markup.safe(test.name)}', _faults(test))
    yield markup.card('Plan and environment', _environment(report))
    yield '</div></div>'
    yield f'<footer>{_footer(report)}</footer>'


def ranked(test: story.Test) -> dict[str, tuple[int, suspects.Suspect]]:
    """Each fault's suspect and its place: from 1 for the three that are suspected most, 0 for all others."""
    return {
        one.event: (n if one.score > 0 and n <= 3 else 0, one)
        for n, one in enumerate(test.suspects, start=1)
    }


def shown_logs(report: story.Story) -> tuple[lanes.Log, ...]:
    """The log lines that the page has room for: those nearest to a suspect first."""
    if sum(len(one.line) for one in report.logs) <= _MOST_LOG:
        return report.logs
    moments = [
        one.start
        for test in report.tests
        for one in test.faults
        if not test.suspects or ranked(test).get(one.id, (0,))[0]
    ]
    near = sorted(
        report.logs, key=lambda one: min((abs(one.at - at) for at in moments), default=0.0)
    )
    room, kept = _MOST_LOG, list[lanes.Log]()
    for one in near:
        room -= min(len(one.line), 2000)
        if room < 0:
            break
        kept.append(one)
    return tuple(sorted(kept, key=lambda one: one.at))


def _head(report: story.Story) -> Iterator[str]:
    facts = [
        ('bundle', report.title),
        ('model', report.run.get('model')),
        ('seed', report.run.get('seed')),
        ('began', report.began[:19].replace('T', ' ')),
        ('took', words.moment(report.length)),
    ]
    said = (
        f'<span>{name} <b>{markup.safe(one)}</b></span>' for name, one in facts if one is not None
    )
    yield '<header><div class="corner"><button id="theme" class="small" type="button">theme: auto</button></div>'
    yield f'{markup.outcome(report.outcome)}<span class="brand">juju matrix</span>'
    yield f'<h1>{markup.safe(report.sentence)}</h1><div class="meta">{"".join(said)}</div>'
    if not report.ending:
        yield '<p class="unsure">The run did not get to its end: here is what was written until then.</p>'
    if report.damaged:
        yield f'<p class="unsure">{words.count(report.damaged, "line")} of its journal cannot be read.</p>'
    yield '</header>\n'


def _periods(test: story.Test | None) -> str:
    if test is None or not test.rows:
        return '<p class="quiet">No load ran.</p>'
    heads = (
        ('faults' if len(test.rows) > 1 else '', ''),
        ('all', 'n'),
        ('failed', 'n'),
        ('unanswered', 'n'),
        ('p50', 'n'),
        ('p99', 'n'),
    )
    rows = (
        markup.row(
            (one.period if len(test.rows) > 1 else 'without faults', ''),
            (f'{one.total:,}', 'n'),
            (f'{one.failed:,}', 'n bad' if one.failed else 'n quiet'),
            (f'{one.unanswered:,}', 'n unsure' if one.unanswered else 'n quiet'),
            (words.took(one.p50), 'n'),
            (words.took(one.p99), 'n'),
        )
        for one in test.rows
    )
    return f'{markup.table(heads, rows)}<p class="note">{markup.safe(test.load)}</p>'


def _suspects(test: story.Test | None) -> str:
    found = [one for one in test.suspects if one.score > 0][:3] if test else []
    if not found:
        return '<p class="quiet">Nothing failed more while a fault struck than otherwise.</p>'
    return f'<ol class="suspects">{"".join(_suspect(n, one) for n, one in enumerate(found, start=1))}</ol>'


def _suspect(rank: int, one: suspects.Suspect) -> str:
    name = (
        f'<span class="kind">{markup.safe(one.kind)}</span> {markup.safe(", ".join(one.targets))}'
    )
    return (
        f'<li><span class="rank">{rank}</span><div>{name} {markup.quiet(one.event)}'
        f'{markup.items(one.why)}</div></li>'
    )


def _smallest(report: story.Story) -> str:
    small = report.smallest
    tried = ''
    if report.replays:
        tried = (
            f'<details><summary>what was tried</summary>{markup.items(report.replays)}</details>'
        )
    if small is None:
        failed = report.outcome is verdict.Outcome.FAIL
        said = report.not_again or _NOT_FOUND[failed, bool(report.replays)]
        return f'<p class="quiet">{markup.safe(said[:1].upper() + said[1:])}.</p>{tried}'
    return (
        f'<p>{markup.safe(small.sentence)}.</p>{markup.items(small.events)}'
        f'{markup.command("replay", small.command)}{markup.folded("as YAML", "smallest", small.text)}{tried}'
    )


# By whether it failed, and whether replays were made.
_NOT_FOUND = {
    (True, True): 'the search did not come to its end',
    (True, False): 'it was not looked for',
    (False, True): 'the search found none',
    (False, False): 'nothing failed',
}


def _without_scripts(report: story.Story) -> str:
    bad = packed.errors(one for test in report.tests for one in test.operations)
    rows = (
        markup.row(
            (f'{one.at:,.1f} s', 'n'),
            (markup.safe(one.invoke.kind), ''),
            ('failed', 'bad') if one.how == 'fail' else ('unanswered', 'unsure'),
            ('' if one.latency is None else words.took(one.latency), 'n'),
            (markup.safe(one.end.error if one.end else 'no answer'), ''),
        )
        for one in bad[:_MOST_ROWS]
    )
    heads = (('at', 'n'), ('operation', ''), ('came to', ''), ('after', 'n'), ('error', ''))
    inner = markup.table(heads, rows) if bad else '<p>Every operation was ok.</p>'
    if len(bad) > _MOST_ROWS:
        inner += f'<p>{len(bad) - _MOST_ROWS:,} more are in the journal.</p>'
    said = '<p>The timeline that belongs here needs scripts; this table does not.</p>'
    return f'<noscript>{markup.card("What was not ok", said + inner, "wide")}</noscript>'


def _checks(test: story.Test) -> str:
    if test.judged.skipped:
        return f'<p>{markup.pill("skipped", "skipped")} {markup.safe(test.judged.skipped)}</p>'
    rows = (
        markup.row(
            (markup.outcome(one.outcome), ''),
            (f'<b>{markup.safe(one.check)}</b><br>{markup.safe(one.sentence)}', ''),
        )
        for one in sorted(test.judged.verdicts, key=lambda one: -one.outcome)
    )
    table = markup.table((('', ''), ('check', '')), rows) if test.judged.verdicts else _NOT_JUDGED
    return table + _rules(test)


_NOT_JUDGED = '<p class="quiet">Nothing was checked.</p>'
_RULES = {
    'complete': 'passed',
    'failed': 'failed',
    'broken': 'failed',
    'stuck': 'failed',
    'skipped': 'skipped',
}


def _rules(test: story.Test) -> str:
    chips = (
        markup.pill(_RULES.get(one.phase, 'plain'), f'{one.task}: {one.phase}', one.message)
        for one in test.rules
    )
    found = ''.join(chips)
    return f'<p class="note">Rules</p><div class="rules">{found}</div>' if found else ''


def _faults(test: story.Test) -> str:
    heads = (('fault', ''), ('on', ''), ('from', 'n'), ('for', 'n'), ('seen', ''))
    rows = (
        markup.row(
            (f'<b>{markup.safe(one.kind)}</b> {markup.quiet(one.id)}', ''),
            (markup.safe(', '.join(one.targets)), ''),
            (f'{one.start:,.1f} s', 'n'),
            ('not healed', 'n unsure')
            if one.healed is None
            else (words.moment(one.healed - one.start), 'n'),
            ('not seen to land', 'unsure')
            if one.landed is None
            else (markup.safe(one.proof or 'seen to land'), ''),
        )
        for one in test.faults
    )
    refused = (
        f'<p class="note">Not carried out</p>{markup.items(test.refused)}' if test.refused else ''
    )
    return markup.table(heads, rows) + refused


def _environment(report: story.Story) -> str:
    facts = ''.join(
        f'<dt>{markup.safe(name)}</dt><dd class="mono">{markup.safe(_plain(value))}</dd>'
        for name, value in report.run.items()
    )
    plans = ''.join(
        markup.folded(f'the plan of {test.name}', f'plan{n}', _yaml(test.plan))
        for n, test in enumerate(report.tests)
        if test.plan is not None
    )
    return f'<dl>{facts}</dl><br>{plans}'


def _plain(value: located.Plain) -> str:
    return str(value) if isinstance(value, str | int | float) else json.dumps(value)


def _yaml(value: located.Plain) -> str:
    return yaml.safe_dump(value, sort_keys=False, default_flow_style=None, width=100)


def _footer(report: story.Story) -> str:
    total = sum(len(test.operations) for test in report.tests)
    shown = len(shown_logs(report))
    said = f'{words.count(total, "operation")} in this page, made from journal.jsonl alone.'
    if total > packed.MOST:
        said += ' Operations that were ok and fall on one pixel of the whole run are one dot; every other has its own.'
    if shown < len(report.logs):
        said += f' {len(report.logs) - shown:,} log lines far from any suspect are only in the journal.'
    return said
