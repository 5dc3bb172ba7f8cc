"""Annotations and the step summary of a GitHub workflow. Pure.

GitHub shows ten annotations of a kind for a step and drops the rest, and takes at most 1 MiB of summary: the worst come
first, and the rest stands in the summary.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from matrix.grammar import problem
from matrix.judge import verdict
from matrix.report import story, words

MOST = 10
_MOST_BYTES = 1024 * 1024 - 1024
_LEVELS = {verdict.Outcome.FAIL: 'error', verdict.Outcome.UNKNOWN: 'warning'}
_MARKS = {verdict.Outcome.PASS: '✅', verdict.Outcome.UNKNOWN: '❔', verdict.Outcome.FAIL: '❌'}


def commands(
    report: story.Story, places: Mapping[str, problem.Where] | None = None
) -> tuple[str, ...]:
    """At most ten workflow commands, the worst first.

    Args:
        report: the run.
        places: where each test stands (its rule in tests/matrix.yaml), by its name; without it the bundle's first line.
    """
    bad = [
        (test, one)
        for test in report.tests
        for one in test.judged.verdicts
        if one.outcome is not verdict.Outcome.PASS
    ]
    bad.sort(key=lambda pair: -pair[1].outcome)
    return tuple(_annotation(report, test, one, places or {}) for test, one in bad[:MOST])


def _annotation(
    report: story.Story,
    test: story.Test,
    one: verdict.Verdict,
    places: Mapping[str, problem.Where],
) -> str:
    bundle = story.text(report.run.get('bundle')) or 'bundle.yaml'
    where = places.get(test.name, problem.Where(bundle, 1))
    properties = {
        'file': where.source,
        'line': str(where.line),
        'title': f'{test.name}: {one.check} {words.OUTCOMES[one.outcome]}',
    }
    suspects = [f'{s.event} {s.kind} {", ".join(s.targets)}' for s in test.suspected(one.check)]
    said = one.sentence
    if one.outcome is verdict.Outcome.FAIL and suspects:
        said += f' (suspected: {"; ".join(suspects)})'
    elif one.outcome is verdict.Outcome.FAIL and test.blame.get(one.check):
        said += f' (no fault is suspected: {story.innocent(test.blame[one.check])})'
    return command(_LEVELS[one.outcome], properties, said)


def command(level: str, properties: Mapping[str, str], said: str) -> str:
    """One workflow command: `::error file=…,line=…::` and what is said, on one line."""
    keys = ','.join(f'{key}={_property(value)}' for key, value in properties.items())
    return f'::{level} {keys}::{_data(words.short(said, 1000))}'


def _data(value: str) -> str:
    return value.replace('%', '%25').replace('\r', '%0D').replace('\n', '%0A')


def _property(value: str) -> str:
    return _data(words.clean(value)).replace(':', '%3A').replace(',', '%2C')


def summary(report: story.Story) -> str:
    """The step summary in Markdown, less than 1 MiB."""
    text = '\n'.join(_summary(report)) + '\n'
    cut = text.encode()[:_MOST_BYTES].decode(errors='ignore')
    return text if cut == text else f'{cut}\n```\n\n… cut: the whole is in the report.\n'


def _summary(report: story.Story) -> Iterator[str]:
    yield f'## {_MARKS[report.outcome]} {safe(report.title)}: {words.OUTCOMES[report.outcome]}'
    yield ''
    yield safe(report.sentence)
    for test in report.tests:
        yield from ('', f'### {safe(test.name)}', '')
        if test.judged.skipped:
            yield f'Skipped: {safe(test.judged.skipped)}'
            continue
        yield '| | check | |\n|---|---|---|'
        for one in sorted(test.judged.verdicts, key=lambda one: -one.outcome):
            yield f'| {_MARKS[one.outcome]} | {safe(one.check)} | {safe(one.sentence)} |'
        yield from _rows(test)
        yield from _faults(test)
    if report.smallest is not None:
        small = report.smallest
        yield from (
            '',
            f'### The smallest plan: {small.sentence}',
            '',
        )
        yield from ('```sh', words.clean(small.command), '```', '', '```yaml')
        yield from (words.clean(line).replace('```', "'''") for line in small.text.splitlines())
        yield '```'


def _rows(test: story.Test) -> Iterator[str]:
    if test.rows:
        yield '\n| | operations | failed | unanswered | p50 | p99 |\n|---|--:|--:|--:|--:|--:|'
    for row in test.rows:
        yield (
            f'| {row.period} | {row.total:,} | {row.failed:,} | {row.unanswered:,} '
            f'| {words.took(row.p50)} | {words.took(row.p99)} |'
        )


def _faults(test: story.Test) -> Iterator[str]:
    if test.faults:
        yield '\n| fault | on | from | proven | suspicion |\n|---|---|--:|---|---|'
    why = {one.event: one for one in test.suspected()}
    for one in test.faults:
        suspect = f'{why[one.id].score:.1f}: {"; ".join(why[one.id].why)}' if one.id in why else ''
        proof = one.proof if one.proven and one.proof else 'yes' if one.proven else '**no**'
        safe_proof = proof if proof == '**no**' else safe(proof)
        yield (
            f'| {safe(one.id)} {safe(one.kind)} | {safe(", ".join(one.targets))} '
            f'| {words.moment(one.start)} | {safe_proof} | {safe(suspect)} |'
        )


def safe(value: str) -> str:
    """A model's own words as plain text of Markdown."""
    value = words.clean(value).replace('&', '&amp;').replace('<', '&lt;')
    return ''.join(f'\\{one}' if one in '\\`*_[]|#!' else one for one in value)
