"""What was found, as text for people, JSON for programs, and JUnit for CI. Pure."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from . import ConformanceRule, Verdict

VERSION = 1
"""Of the JSON: it is another one when a key means something else, or is gone."""
_WIDTH = 100


def as_text(verdicts: Sequence[Verdict], *, strict: bool = False) -> str:
    """For people."""
    return ''.join(_one(verdict, strict=strict) for verdict in verdicts)


def _one(verdict: Verdict, *, strict: bool) -> str:
    lines: list[str] = []
    shown = ''
    for f in verdict.findings:
        if f.rule != shown:
            shown = f.rule
            lines += [f'{f.level} {f.rule}: {f.sentence}']
        lines += [f'    {f.where}']
        if f == [x for x in verdict.findings if x.rule == f.rule][-1]:
            lines += textwrap.wrap(
                f'-> {f.cure} ({f.link})',
                _WIDTH,
                initial_indent='    ',
                subsequent_indent='       ',
            )
    kept = len(verdict.asked) - len({f.rule for f in verdict.findings})
    state = (
        'is not of the family yet' if verdict.failed(strict=strict) else 'is a charm of the family'
    )
    lines += [f'{verdict.charm} {state}: {kept} of {len(verdict.asked)} rules kept']
    return '\n'.join(lines) + '\n'


def as_json(verdicts: Sequence[Verdict], *, strict: bool = False) -> str:
    """For programs."""
    said = {
        'version': VERSION,
        'charms': [
            {
                'charm': v.charm,
                'failed': v.failed(strict=strict),
                'rules': list(v.asked),
                'findings': [dataclasses.asdict(f) for f in v.findings],
            }
            for v in verdicts
        ],
    }
    return json.dumps(said, indent=2) + '\n'


def as_junit(verdicts: Sequence[Verdict], *, strict: bool = False) -> str:
    """For CI: a suite for each charm, a case for each rule. Advice is skipped, with a word, unless *strict*."""
    root = ElementTree.Element('testsuites')
    for v in verdicts:
        cases = [_case(v, rule, strict=strict) for rule in v.asked]
        suite = ElementTree.SubElement(
            root,
            'testsuite',
            name=_printable(v.charm),
            tests=str(len(cases)),
            failures=str(sum(case.find('failure') is not None for case in cases)),
            skipped=str(sum(case.find('skipped') is not None for case in cases)),
        )
        suite.extend(cases)
    ElementTree.indent(root)
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        + ElementTree.tostring(root, encoding='unicode')
        + '\n'
    )


def _case(verdict: Verdict, rule: str, *, strict: bool) -> ElementTree.Element:
    case = ElementTree.Element('testcase', classname=_printable(verdict.charm), name=rule)
    found = [f for f in verdict.findings if f.rule == rule]
    if found:
        kind = 'failure' if strict or found[0].level == 'must' else 'skipped'
        told = ElementTree.SubElement(case, kind, message=_printable(found[0].sentence))
        told.text = _printable(
            '\n'.join([*(f.where for f in found), found[0].cure, found[0].link])
        )
    return case


def _printable(text: str) -> str:
    """*text* without what XML 1.0 has no place for."""
    return ''.join(
        c if c.isprintable() or c == '\n' else '?' for c in text if not 0xD800 <= ord(c) <= 0xDFFF
    )


def as_list(rules: Iterable[ConformanceRule]) -> str:
    """The rules themselves, for whoever asks which there are."""
    lines = [
        f'{rule.name} ({rule.level}; {rule.of[0].lower()}{rule.of[1:]})\n    {rule.sentence}\n'
        for rule in rules
    ]
    return ''.join(lines)


def as_page(rules: Iterable[ConformanceRule]) -> str:
    """The page of the documents that :data:`charmkit.conformance.DOCUMENT` is."""
    head = (
        '# Reference: the rules of the family\n\n'
        'What `charmkit check` asks of a charm; where it says `should`, it is advice. Written by '
        '`python -m charmkit.conformance.check`.\n'
    )
    parts = [
        f'\n## {rule.name}\n\n{rule.sentence}\n\n| | |\n|---|---|\n| asked of | {rule.of} |\n'
        f'| how strictly | {rule.level} |\n| what to do | {rule.cure} |\n'
        for rule in rules
    ]
    return head + ''.join(parts)
