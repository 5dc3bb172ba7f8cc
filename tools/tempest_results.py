"""What a run of Tempest means: each test's outcome beside what is known of it here.

A test that is known to fail and passes is a fault as well, and so are a skip that nobody knows of and a test that did
not run: the list of what is known cannot rot, and nothing counts as passed that was not seen to.
"""

from __future__ import annotations

import dataclasses
import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import Any, Literal, cast

import yaml

Ending = Literal['pass', 'fail', 'skip']
_SHOWN = 300
"""The most characters of a failure's words that are shown."""
_ATTRIBUTES = re.compile(r'\[[^\[\]]*\]$')
_OF_CLASS = re.compile(r'(?:setUp|tearDown)Class \(([\w.]+)\)')


@dataclasses.dataclass(frozen=True)
class Known:
    """A test, or a class of tests, that does not pass here, and why it cannot."""

    test: str
    """Its dotted name, without attributes in brackets. The name of a class stands for all of its tests."""
    ending: Ending
    why: str
    bases: tuple[str, ...] = ()
    """Where that is so (``debian@12``). Empty: everywhere."""
    without: str = ''
    """The feature that a deployment lacks where that is so. Empty: whatever it has."""

    def holds(self, base: str, features: Container[str]) -> bool:
        """Whether that is so on *base*, of a deployment with these *features*."""
        return (not self.bases or base in self.bases) and self.without not in features

    def covers(self, test: str) -> bool:
        """Whether *test* is this one, or one of this class."""
        return f'{test}.'.startswith(f'{self.test}.')


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a test ended, or the setting up of a class of them."""

    test: str
    ending: Ending
    detail: str = ''
    """Of a failure, its last line; of a skip, the reason that was given."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What a run of Tempest means. It is good if there are no faults."""

    passed: int
    explained: tuple[tuple[str, Known], ...]
    """Tests that ended as is known of them."""
    faults: tuple[str, ...]
    """Each names its test, and says what is wrong."""

    def __str__(self) -> str:
        lines = [f'{self.passed} passed']
        by_why = sorted(self.explained, key=lambda one: (one[1].ending, one[1].why))
        for (ending, why), group in itertools.groupby(
            by_why, key=lambda one: (one[1].ending, one[1].why)
        ):
            tests = [test for test, _ in group]
            lines += [f'{len(tests)} {ending}, as known: {why}', *(f'    {t}' for t in tests)]
        lines += [f'{len(self.faults)} faults', *(f'  ! {fault}' for fault in self.faults)]
        return '\n'.join(lines)


def known(text: str) -> tuple[Known, ...]:
    """The list of what does not pass, from YAML: a list of why, fail or skip (names), bases and without (a feature).

    ValueError names the entry that is not so.
    """
    entries = yaml.safe_load(text)
    if not isinstance(entries, list):
        raise ValueError(
            'a list of entries is wanted: why, and fail or skip, and perhaps bases or without'
        )
    return tuple(
        one
        for number, entry in enumerate(cast('list[Any]', entries), 1)
        for one in _entry(number, entry)
    )


def _entry(number: int, entry: Any) -> Iterator[Known]:
    lacking = (
        'why (text), and fail or skip (lists of names), and perhaps bases (a list) are wanted'
    )
    if not isinstance(entry, dict):
        raise ValueError(f'entry {number}: {lacking}')
    said = cast('dict[str, Any]', entry)
    why, names = said.get('why'), {e: said.get(e, []) for e in ('fail', 'skip')}
    lists = [*names.values(), said.get('bases', [])]
    if (
        not isinstance(why, str)
        or not why.strip()
        or not any(names.values())
        or not said.keys() <= {'why', 'fail', 'skip', 'bases', 'without'}
        or not all(isinstance(one, list) for one in lists)
    ):
        raise ValueError(f'entry {number} ({why}): {lacking}')
    where = (tuple(map(str, said.get('bases', []))), str(said.get('without', '')))
    for test in names['fail']:
        yield Known(str(test), 'fail', ' '.join(why.split()), *where)
    for test in names['skip']:
        yield Known(str(test), 'skip', ' '.join(why.split()), *where)


def that_matter(here: Iterable[Known], suites: str, listed: Iterable[str]) -> list[Known]:
    """What is known of whole *suites* (a regular expression of names' beginnings); '': of the tests *listed* alone.

    Of whole suites a test that is not listed any more matters, too: it was renamed.
    """
    if suites:
        return [one for one in here if re.match(suites, one.test)]
    tests = [*listed]
    return [one for one in here if any(one.covers(test) for test in tests)]


def plain(name: str) -> str:
    """A test's dotted name, as stestr lists it, without its attributes in brackets."""
    of_class = _OF_CLASS.fullmatch(name.strip())
    return of_class[1] if of_class else _ATTRIBUTES.sub('', name.strip())


def outcomes(junit: str) -> Iterator[Outcome]:
    """Every outcome in a report that subunit2junitxml wrote."""
    for case in ET.fromstring(junit).iter('testcase'):  # noqa: S314 -- our own process wrote it
        parts = (case.get('classname', ''), case.get('name', ''))
        test = plain('.'.join(filter(None, parts)))
        skipped, failed = case.find('skipped'), case.find('failure')
        failed = case.find('error') if failed is None else failed
        if failed is not None:
            yield Outcome(test, 'fail', _last_line(failed.text))
        elif skipped is not None:
            yield Outcome(test, 'skip', (skipped.text or '').strip())
        else:
            yield Outcome(test, 'pass')


def _last_line(text: str | None) -> str:
    lines = [line.strip() for line in (text or '').splitlines() if line.strip(' -}')]
    return lines[-1][:_SHOWN] if lines else 'it said nothing'


def judge(listed: Iterable[str], ended: Iterable[Outcome], here: Iterable[Known]) -> Verdict:
    """What a run means, by what is known *here*.

    *listed* are the plain names of all the tests that there are to run.
    """
    here = list(here)
    ended = list(ended)
    explained: list[tuple[str, Known]] = []
    faults: list[str] = []
    for outcome in ended:
        of_it = [one for one in here if one.covers(outcome.test)]
        match = next((one for one in of_it if one.ending == outcome.ending), None)
        if match:
            explained.append((outcome.test, match))
        elif fault := _fault(outcome, of_it):
            faults.append(fault)
    faults += _unseen(listed, {o.test: o for o in ended}, here)
    passed = sum(outcome.ending == 'pass' for outcome in ended)
    return Verdict(passed, tuple(explained), tuple(faults))


def _fault(outcome: Outcome, of_it: Iterable[Known]) -> str:
    expected = ' and '.join(f'{one.ending} ({one.why})' for one in of_it)
    if outcome.ending == 'pass':
        described = f'is known to {expected}, and passes: take it off the list'
        return f'{outcome.test} {described}' if expected else ''
    ended = f'{outcome.test} {outcome.ending}s: {outcome.detail}'
    return f'{ended} (known to {expected})' if expected else ended


def _unseen(
    listed: Iterable[str], ended: Mapping[str, Outcome], here: Iterable[Known]
) -> Iterator[str]:
    listed = list(listed)
    if not listed:
        yield 'no tests were found'
    for test in listed:
        if test not in ended and test.rpartition('.')[0] not in ended:
            yield f'{test} did not run'
    for one in here:
        if not any(one.covers(test) for test in (*listed, *ended)):
            yield f'{one.test} is known to {one.ending}, and is not there: was it renamed?'
