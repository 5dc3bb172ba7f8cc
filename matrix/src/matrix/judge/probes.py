"""A bundle's own steady state: probes with bounds, as tests/test.yaml has them, and what their samples prove. Pure."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias, cast

from matrix.grammar import fields, located, problem
from matrix.history import journal, notes
from matrix.judge import trial, verdict

When: TypeAlias = Literal['before', 'during', 'after']
WHEN: tuple[When, ...] = ('before', 'during', 'after')
EVERY = 5.0  # seconds between two samples
TIMEOUT = 10.0  # seconds for one
KEYS = (
    'name', 'command', 'on', 'http', 'expect', 'promql', 'prometheus', 'least', 'most', 'says', 'when', 'every',
    'timeout', 'abort',
)  # fmt: skip
_HOW = ('command', 'http', 'promql')
_DEFAULT_WHEN: tuple[When, ...] = ('before', 'after')

_FAIL, _UNKNOWN, _PASS = verdict.Outcome.FAIL, verdict.Outcome.UNKNOWN, verdict.Outcome.PASS


@dataclasses.dataclass(frozen=True)
class Probe:
    """Something that is asked again and again, and what it must come to.

    Args:
        name: what reports call it.
        how: `command`, `http` or `promql`: what `asks` is.
        asks: a shell command, a URL or a query.
        on: the application or unit on whose machine a command runs; '' where matrix itself runs.
        prometheus: the URL of the Prometheus that is asked a query.
        expect: good statuses of HTTP; none: below 400.
        least: the least number that is good.
        most: the largest.
        says: a regular expression that is found in what is good.
        when: the periods that it is held to. `after`: from the last sample on that was taken once all is healed.
        every: seconds between two samples.
        timeout: seconds for one.
        abort: the run is stopped, and all healed, at the first that is not good.
    """

    name: str
    how: str
    asks: str
    on: str = ''
    prometheus: str = ''
    expect: tuple[int, ...] = ()
    least: float = -math.inf
    most: float = math.inf
    says: str = ''
    when: tuple[When, ...] = _DEFAULT_WHEN
    every: float = EVERY
    timeout: float = TIMEOUT
    abort: bool = False

    @property
    def bounded(self) -> bool:
        """Whether what it gives is a number."""
        return math.isfinite(self.least) or math.isfinite(self.most)


@dataclasses.dataclass(frozen=True)
class Sample:
    """What a probe gave once.

    `code` is an exit code or a status (0: nobody answered). `error`: nobody could be asked, which proves nothing.
    """

    name: str
    on: str = ''
    code: int = 0
    text: str = ''
    error: str = ''


def read(value: located.Value | None) -> tuple[Probe, ...]:
    """The probes of tests/test.yaml.

    Raises:
        problem.RefusedError: with every problem, each at its line.
    """
    if value is None:
        return ()
    reading = fields.Fields()
    items = value.items if isinstance(value, located.Sequence) else (value,)
    found = [(one, item.where) for item in items if (one := _probe(item, reading)) is not None]
    names = [one.name for one, _ in found]
    for number, (one, where) in enumerate(found):
        if one.name in names[:number]:
            reading.wrong(where, f'two probes are called {one.name!r}')
    reading.done()
    return tuple(one for one, _ in found)


def _probe(item: located.Value, reading: fields.Fields) -> Probe | None:
    mapping = reading.mapping(item, KEYS, 'a probe')
    if mapping is None:
        return None
    asked = [how for how in _HOW if mapping.get(how) is not None]
    if len(asked) != 1:
        said = ' and '.join(asked) or 'none of them'
        reading.wrong(item.where, f'a probe is one of {", ".join(_HOW)}: this is {said}')
        return None
    how = asked[0]
    asks = reading.text(mapping, how)
    found = Probe(
        name=reading.text(mapping, 'name', asks),
        how=how,
        asks=asks,
        on=reading.text(mapping, 'on'),
        prometheus=reading.text(mapping, 'prometheus'),
        expect=reading.statuses(mapping, 'expect'),
        least=reading.number(mapping, 'least', -math.inf, least=-math.inf),
        most=reading.number(mapping, 'most', math.inf, least=-math.inf),
        says=reading.text(mapping, 'says'),
        when=_when(mapping, reading),
        every=reading.number(mapping, 'every', EVERY, least=0.5),
        timeout=reading.number(mapping, 'timeout', TIMEOUT, least=0.1, most=300),
        abort=bool(reading.truth(mapping, 'abort', default=False)),
    )
    for said in _wrong(found, mapping):
        reading.wrong(item.where, said)
    return found


def _wrong(one: Probe, mapping: located.Mapping) -> Iterable[str]:
    """What does not go together in a probe."""
    if not one.asks.strip():
        yield f'{one.how!r} of a probe is empty'
    if one.how == 'http' and not one.asks.startswith(('http://', 'https://')):
        yield f"'http' begins with http:// or https://, this is {one.asks!r}"
    if one.how == 'promql' and not one.prometheus.startswith(('http://', 'https://')):
        yield "a query needs 'prometheus', the URL of the Prometheus that it is asked of"
    if one.how == 'promql' and not one.bounded:
        yield "a query needs 'least' or 'most': without, any answer would be good"
    if one.least > one.most:
        yield f'no number is at least {one.least:g} and at most {one.most:g}'
    for key, how in (('on', 'command'), ('expect', 'http'), ('prometheus', 'promql')):
        if mapping.get(key) is not None and one.how != how:
            yield f'{key!r} is for a probe of {how}, this is one of {one.how}'
    try:
        re.compile(one.says)
    except re.error as error:
        yield f"'says' is no regular expression: {error}"


def _when(mapping: located.Mapping, reading: fields.Fields) -> tuple[When, ...]:
    if mapping.get('when') is None:
        return _DEFAULT_WHEN
    found: list[When] = []
    for item in reading.items(mapping, 'when'):
        said = item.value if isinstance(item, located.Scalar) else None
        if said in WHEN:
            found.append(said)
        else:
            near = problem.suggestion(str(said), WHEN)
            message = f"'when' is some of {', '.join(WHEN)}, not {said!r}{near}"
            reading.wrong(item.where, message)
    if not found:
        reading.wrong(mapping.where, "'when' names no period: the probe would never be judged")
    return tuple(found)


def plain(one: Probe) -> dict[str, located.Plain]:
    """A probe as the note `probes` holds it: what `read` makes the same probe of again."""
    found: dict[str, located.Plain] = {'name': one.name, one.how: one.asks}
    for key in ('on', 'prometheus', 'says'):
        if said := getattr(one, key):
            found[key] = said
    for key in ('least', 'most'):
        if math.isfinite(value := getattr(one, key)):
            found[key] = value
    expect: list[located.Plain] = [*one.expect]
    when: list[located.Plain] = [*one.when]
    rest = {'expect': expect} if one.expect else {}
    return {**found, **rest, 'when': when, 'every': one.every, 'timeout': one.timeout, 'abort': one.abort}  # fmt: skip


def named(of: trial.Trial) -> dict[str, Probe]:
    """The probes of a test, by name.

    Raises:
        problem.RefusedError: the journal's note is not written right.
    """
    where = problem.Where('journal', 0)
    return {
        one.name: one for value in of.values(notes.PROBES) for one in read(fields.at(value, where))
    }


def number(text: str) -> float | None:
    """The number that a text ends with; None where it ends with none."""
    words = text.split()
    try:
        found = float(words[-1]) if words else math.nan
    except ValueError:
        return None
    return None if math.isnan(found) else found


def wrong(one: Probe, sample: Sample) -> str:
    """Why a sample is not good; '' when it is. Of one that could not be taken nothing is known."""
    if sample.error:
        return ''
    if one.how == 'command' and sample.code:
        return f'exit code {sample.code}{_tail(sample.text)}'
    if one.how == 'http' and not sample.code:
        return f'no answer{_tail(sample.text)}'
    if one.how == 'http' and not _good_status(one, sample.code):
        return f'status {sample.code}'
    if one.says and not re.search(one.says, sample.text):
        return f'it does not say {one.says!r}{_tail(sample.text)}'
    if not one.bounded:
        return ''
    value = number(sample.text)
    if value is None:
        return f'it gave no number{_tail(sample.text)}'
    if value < one.least:
        return f'{value:g}, at least {one.least:g} is good'
    return f'{value:g}, at most {one.most:g} is good' if value > one.most else ''


def _good_status(one: Probe, status: int) -> bool:
    return status in one.expect if one.expect else status < 400


def _tail(text: str) -> str:
    last = text.strip().rpartition('\n')[2]
    return f' ({last[-80:]})' if last else ''


def sample_of(value: located.Plain) -> Sample:
    """A sample as the note `probe` holds it."""
    said = trial.mapping(value)
    name, on, text, error = (str(said.get(key) or '') for key in ('name', 'on', 'text', 'error'))
    return Sample(name, on, int(trial.number(said.get('code'))), text, error)


def probe(of: trial.Trial, one: Probe) -> verdict.Verdict:
    """In each period that it is held to, a probe was sampled, and all that it gave was good.

    While faults strike, and while what they struck recovers, is one period; of the time after, the last sample of each
    place counts in any case, for that is what is left.
    """
    check = f'probe {one.name}'
    taken = [
        (entry, sample)
        for entry, value in of.notes.get(notes.PROBE, ())
        if (sample := sample_of(value)).name == one.name
    ]
    by = _split(of, taken)
    said: list[str] = []
    unknown = ''
    for period in WHEN if of.strikes else ('before',):
        if period not in one.when:
            continue
        some = by[period]
        known = [(entry, sample) for entry, sample in some if not sample.error]
        bad = [(entry, why) for entry, sample in known if (why := wrong(one, sample))]
        if bad:
            return _bad(of, check, one, period, bad, known)
        if not known:
            why = f': {some[-1][1].error}' if some else ''
            unknown = unknown or f'{one.name} was never asked {_WHEN[period]}{why}'
        asked = {sample.on for _, sample in known}
        for _, sample in some if known else ():
            if '/' in sample.on and sample.on not in asked and period != 'during':
                unknown = unknown or (
                    f'{one.name} was never asked on {sample.on} {_WHEN[period]}: {sample.error}'
                )
        said.append(f'{len(known)} {_WHEN[period]}')
    if unknown:
        return verdict.Verdict(check, _UNKNOWN, unknown)
    if not said:
        sentence = f'{one.name} is held to {" and ".join(one.when)}, and there was no fault'
        return verdict.Verdict(check, _UNKNOWN, sentence)
    return verdict.Verdict(check, _PASS, f'all samples were good: {", ".join(said)}')


_WHEN: Mapping[str, str] = {
    'before': 'before any fault', 'during': 'while faults struck', 'after': 'after the faults',
}  # fmt: skip
_Taken = list[tuple[journal.Entry, Sample]]


def _split(of: trial.Trial, taken: _Taken) -> dict[str, _Taken]:
    found: dict[str, _Taken] = {period: [] for period in WHEN}
    last: dict[str, tuple[journal.Entry, Sample]] = {}
    for entry, sample in taken:
        if entry.at < of.first:
            found['before'].append((entry, sample))
        elif of.why(entry.at, entry.at):
            found['during'].append((entry, sample))
        else:
            found['after'].append((entry, sample))
        if entry.at > of.healed and not sample.error:
            last[sample.on] = (entry, sample)
    # What is left in the end is not excused by having had no time to recover: the chaos waited for it.
    for one in last.values():
        if one not in found['after']:
            found['after'].append(one)
    return found


def _bad(
    of: trial.Trial,
    check: str,
    one: Probe,
    period: str,
    bad: Sequence[tuple[journal.Entry, str]],
    known: _Taken,
) -> verdict.Verdict:
    first, why = bad[0]
    on = sample_of(cast('journal.Note', first.what).value).on
    where = f' on {on}' if on else ''
    times = f', and {len(bad) - 1} more of {len(known)} samples' if len(bad) > 1 else ''
    strikes = of.why(first.at, first.at)
    while_ = f', while {strikes[-1].sentence}' if strikes else ''
    sentence = f'{one.name}{where} {_WHEN[period]}: {why} (at {first.at:.1f} s{while_}){times}'
    signature = verdict.Signature('probe', one.name, period)
    evidence = tuple(entry.seq for entry, _ in bad)
    return verdict.Verdict(check, _FAIL, sentence, evidence, signature)
