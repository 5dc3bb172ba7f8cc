"""What a run says on the terminal: at its end at most fifteen lines, and one line at a time while it runs. Pure.

Colours are the caller's choice (`painted`): only on a terminal, and never where NO_COLOR is set.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping

from matrix.grammar import located
from matrix.history import journal, notes
from matrix.judge import verdict
from matrix.report import story, words

MOST = 15
_WIDTH = 118
_OFTEN = 15.0  # seconds between two lines about the same wait,
_QUICK = 2  # but for its first few
_COLOURS = {
    verdict.Outcome.PASS: '32',
    verdict.Outcome.UNKNOWN: '33',
    verdict.Outcome.FAIL: '31',
}
_ENDINGS = {
    '': 'the run did not end',
    'infrastructure': 'Juju or the machine let it down',
    'no-model': 'no model could be made',
    'interrupted': 'interrupted',
}
_MARKS = {
    verdict.Outcome.PASS: '✔',
    verdict.Outcome.UNKNOWN: '?',
    verdict.Outcome.FAIL: '✘',
}


def summary(report: story.Story, *, painted: bool = False) -> str:
    """The run in at most fifteen lines, the verdict first, each ended by a newline."""
    lines = [
        _verdict(report, painted),
        f'  {_safe_sentence(report.sentence)}',
        *_others(report),
    ]
    one = report.worst
    if one is not None:
        lines += [*_rows(one, painted), *_faults(one), *_suspects(one)]
    tail = [*_smallest(report), *_where(report)]
    return '\n'.join([*lines[: MOST - len(tail)], *tail]) + '\n'


def _safe_sentence(sentence: str) -> str:
    text = words.short(sentence, 240)
    # On a line of its own, this would be a command to GitHub's runner.
    return f'"{text}"' if text.lstrip().startswith(('::', '##[')) else text


def paint(text: str, code: str, painted: bool) -> str:
    """The text in a colour (an SGR code), or as it is."""
    return f'\x1b[{code}m{text}\x1b[0m' if painted else text


def _verdict(report: story.Story, painted: bool) -> str:
    word = f'{_MARKS[report.outcome]} {words.OUTCOMES[report.outcome].upper()}'
    parts = [words.clean(report.title)]
    parts += [words.clean(one.name) for one in (report.worst,) if one is not None]
    if model := story.text(report.run.get('model')):
        parts.append(f'model {words.clean(model)}')
    if (seed := report.run.get('seed')) is not None:
        parts.append(f'seed {words.clean(story.text(seed))}')
    parts.append(words.moment(report.length))
    if said := _ENDINGS.get(report.ending, ''):
        parts.append(said)
    if report.damaged:
        parts.append(f'{words.count(report.damaged, "line")} of its journal cannot be read')
    return f'{paint(word, f"1;{_COLOURS[report.outcome]}", painted)}  {", ".join(parts)}'


def _others(report: story.Story) -> Iterator[str]:
    """The other tests, and the other checks of the worst one, where they have something to say."""
    others = [one for one in report.tests if one is not report.worst]
    if others:
        said = (
            f'{one.name} skipped'
            if one.judged.skipped
            else f'{one.name} {words.OUTCOMES[one.outcome]}'
            for one in others
        )
        yield f'  also      {words.short("; ".join(said), _WIDTH - 12)}'
    for one in report.worst.judged.verdicts if report.worst else ():
        if one.excused:
            yield f'  explained {words.short("; ".join(one.excused), _WIDTH - 12)}'
    bad = [
        one
        for one in (report.worst.judged.verdicts if report.worst else ())
        if one.outcome is not verdict.Outcome.PASS and one.sentence not in report.sentence
    ]
    for one in sorted(bad, key=lambda one: -one.outcome)[:2]:
        sentence = f'{one.check}: {one.sentence}'
        yield f'  {words.OUTCOMES[one.outcome]:<9} {words.short(sentence, _WIDTH - 12)}'


def _rows(one: story.Test, painted: bool) -> Iterator[str]:
    if not one.rows:
        yield f'  load      {words.short(one.load or "none ran", _WIDTH - 12)}'
        return
    width = max(len(f'{row.total:,}') for row in one.rows)
    for row in one.rows:
        bad = f'{row.failed:,} failed, {row.unanswered:,} unanswered'
        if row.failed or row.unanswered:
            bad = paint(bad, '31', painted)
        yield (
            f'  {row.period:<9} {row.total:>{width},} operations, {bad}, '
            f'p50 {words.took(row.p50)}, p99 {words.took(row.p99)}'
        )


def _faults(one: story.Test) -> Iterator[str]:
    if not one.faults and not one.refused:
        return
    not_proven = [fault for fault in one.faults if not fault.proven]
    said = f'{words.count(len(one.faults), "fault")}, {len(one.faults) - len(not_proven)} proven to land and to heal'
    if not_proven:
        said += f'; not proven: {"; ".join(fault.name for fault in not_proven)}'
    if one.refused:
        said += f'; not carried out: {"; ".join(one.refused)}'
    yield f'  faults    {words.short(said, _WIDTH - 12)}'


def _suspects(one: story.Test) -> Iterator[str]:
    if one.innocent:
        yield f'  suspects  none: {words.short(one.innocent, _WIDTH - 18)}'
    found = one.suspected()
    for n, suspect in enumerate(found[:2]):
        said = f'{suspect.event} {suspect.kind} {", ".join(suspect.targets)}: {suspect.why[0]}'
        yield f'  {"suspects" if n == 0 else "":<9} {words.short(said, _WIDTH - 12)}'
    if len(found) > 2:
        rest = ', '.join(f'{one.event} {one.kind} {", ".join(one.targets)}' for one in found[2:])
        yield f'            {words.short(f"and {rest}", _WIDTH - 12)}'


def _smallest(report: story.Story) -> Iterator[str]:
    small = report.smallest
    if small is None:
        if report.not_again:
            yield f'  smallest  {words.short(report.not_again, _WIDTH - 12)}'
        return
    yield f'  smallest  {words.short(small.sentence, _WIDTH - 12)}'
    for one in small.events[:2]:
        yield f'            {words.short(one, _WIDTH - 12)}'
    yield f'  replay    {words.clean(small.command)}'


def _where(report: story.Story) -> Iterator[str]:
    if report.folder:
        yield f'  evidence  {words.clean(report.folder)}/report.html'


@dataclasses.dataclass
class Progress:
    """The lines of a run that is going on: one for what a person waits for, none for each operation.

    Keeps only what is needed not to say a thing twice.
    """

    painted: bool = False
    waits: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    waited: float = 0.0
    quick: int = 0

    def said(self, entry: journal.Entry) -> str:
        """The line for an entry of the journal, without a newline; '' for none."""
        line = self._line(entry)
        at = paint(f'{entry.at:8.1f} s', '2', self.painted)
        return f'{at}  {words.short(line, _WIDTH * 2)}' if line else ''

    def _line(self, entry: journal.Entry) -> str:
        match entry.what:
            case journal.Fault(name, kind, phase, targets, proof):
                said = f'{name} {kind} {", ".join(targets)}'.strip()
                return f'{said}: {_PHASES[phase]}{f" ({proof})" if proof else ""}'
            case journal.Effect(name):
                return f'seen: {name}'
            case journal.Hook(unit, hook, 'ended', code) if code:
                return f'{unit}: hook {hook} failed with exit code {code}'
            case journal.Status(of, workload, message) if workload in _BAD:
                return f'{of}: {workload}{f", {message}" if message else ""}'
            case journal.Note(kind, value) if kind == notes.WAITS:
                said = value if isinstance(value, list) else []
                return self._waiting(entry.at, tuple(story.text(one) for one in said))
            case journal.Note(kind, value) if kind in (notes.KILLED, notes.EARLIER):
                return _left(kind, story.mapping(value))
            case journal.Note(kind, value):
                return _noted(kind, value)
            case _:
                return ''

    def _waiting(self, at: float, waits: tuple[str, ...]) -> str:
        """What is new in what is waited for; details of the same wait change often, and are said now and then."""
        new = [one for one in waits if one not in self.waits]
        heads = tuple(one.partition(';')[0] for one in waits)
        known, self.heads, self.waits = self.heads, heads, waits
        self.quick = self.quick + 1 if set(heads) <= set(known) else 0
        if not new or (self.quick > _QUICK and at < self.waited + _OFTEN):
            return ''
        self.waited = at
        return f'waiting: {", ".join(new)}'


_PHASES = {'armed': 'begins, its heal is armed', 'landed': 'has landed', 'healed': 'is healed'}
_BAD = ('blocked', 'error')


def _noted(kind: str, value: located.Plain) -> str:
    held = story.mapping(value)
    match kind:
        case notes.TEST_START:
            return f'test {story.text(held.get("test") or held.get("name") or value)}'
        case notes.PHASE:
            return _STAGES.get(story.text(value), story.text(value))
        case notes.LOAD:
            return f'load: {story.text(held.get("sentence"))}'
        case notes.LOAD_NONE:
            return f'no load: {story.text(value)}'
        case notes.REFUSED:
            parts = (story.text(held.get(key)) for key in ('event', 'fault'))
            return f'{" ".join(parts)} was not carried out: {story.text(held.get("reason"))}'
        case story.REPLAY:
            return story.replayed(value)
        case story.SMALLEST:
            return f'the smallest plan is written: {story.text(held.get("command"))}'
        case story.NOT_AGAIN | notes.SEARCH:
            return story.not_again(value) if kind == story.NOT_AGAIN else story.text(value)
        case notes.RULE_DONE:
            said = story.text(held.get('message'))
            return f'{story.text(held.get("task"))}: {story.text(held.get("phase"))}{f", {said}" if said else ""}'
        case _:
            return ''


def _left(kind: str, held: Mapping[str, located.Plain]) -> str:
    """What a killed run left: as its own journal tells it, and as the run after it does."""
    some = {key: _texts(held.get(key)) for key in ('lock', 'left', 'healed', 'failed')}
    said = [*some['lock']]
    if kind == notes.KILLED:
        said.append(f'the run was killed, and left {"; ".join(some["left"]) or "no fault"}')
    said += [f'healed, of an earlier run: {one}' for one in some['healed']]
    said += [f'not healed, of an earlier run: {one}' for one in some['failed']]
    return '; '.join(said)


def _texts(value: located.Plain) -> list[str]:
    return [story.text(one) for one in value] if isinstance(value, list) else []


_STAGES = {
    'settled': 'the bundle has settled',
    'control': 'load without a fault, for comparison',
    'chaos': 'faults begin',
    'recovery': 'all is healed; waiting for the model to be as it was',
    'readback': 'reading back what was acknowledged',
    'clearing': 'deleting what was made, and looking what is left',
}


def progress(entries: Iterable[journal.Entry], *, painted: bool = False) -> Iterator[str]:
    """The lines of a journal, as they would have come."""
    saying = Progress(painted)
    return (line for entry in entries if (line := saying.said(entry)))
