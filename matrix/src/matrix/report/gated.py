"""What a gate came to: for a terminal, as JSON, as JUnit's XML, and for GitHub. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from matrix.judge import costs, gate
from matrix.report import github, words

CODES: dict[gate.Result, int] = {'not worse': 0, 'worse': 1, 'cannot tell': 2}
"""Exit codes of the command."""

_MOST = 20  # figures that a terminal shows


def text(decision: gate.Decision, subject: str, folder: str = '') -> str:
    """Lines for a terminal: the answer, its reasons, then how the figures that moved most stand."""
    lines = [
        f'{decision.result.upper()}  {words.clean(decision.sentence)}',
        f'  {words.clean(subject)}',
    ]
    lines += [f'  {_mark(decision)} {words.clean(one)}' for one in decision.reasons]
    rest = [one for one in decision.differences if not (one.worse or one.suspected)]
    moved = [one for one in rest if one.matters]
    if moved:
        lines.append('  higher, within what chance explains:')
        lines += [f'    {words.clean(gate.said(one))}' for one in moved[:_MOST]]
    if decision.differences:
        lines.append(f'  {words.count(len(decision.differences), "figure")} compared')
    if folder:
        lines.append(f'  evidence  {folder}')
    return '\n'.join(lines) + '\n'


def _mark(decision: gate.Decision) -> str:
    return '✘' if decision.result == 'worse' else '?'


def as_json(decision: gate.Decision, subject: str) -> str:
    """The whole decision: `{result, code, sentence, reasons, subject, figures: [{sort, of, period, unit, …}]}`."""
    figures = [_figure(one) for one in decision.differences]
    value = {
        'format': 1,
        'result': decision.result,
        'code': CODES[decision.result],
        'sentence': decision.sentence,
        'reasons': list(decision.reasons),
        'subject': subject,
        'figures': figures,
    }
    return json.dumps(value, indent=2, ensure_ascii=True, allow_nan=False) + '\n'


def _figure(one: gate.Difference) -> dict[str, object]:
    return {
        'sort': one.figure.sort,
        'of': one.figure.of,
        'period': one.figure.period,
        'unit': costs.MEASURES[one.figure.sort].unit,
        'old': list(one.old),
        'new': list(one.new),
        'chance': round(one.among, 6),
        'worse': one.worse,
        'suspected': one.suspected,
    }


def junit(decision: gate.Decision, subject: str) -> str:
    """JUnit's XML: a test case for each figure, a failure of each that is worse, an error where it is undecided."""
    cases = [_case(one) for one in decision.differences]
    if decision.result == 'cannot tell' and not any(
        case.find('error') is not None for case in cases
    ):
        case = ET.Element('testcase', name='the gate', classname='gate', time='0.000')
        ET.SubElement(
            case, 'error', message=words.clean(decision.sentence), type='cannot tell'
        ).text = '\n'.join(words.clean(one) for one in decision.reasons)
        cases.append(case)
    suite = ET.Element(
        'testsuite',
        {
            'name': 'gate',
            'package': words.clean(subject),
            'id': '0',
            'timestamp': '1970-01-01T00:00:00',
            'hostname': 'localhost',
            'tests': str(len(cases)),
            'failures': str(sum(case.find('failure') is not None for case in cases)),
            'errors': str(sum(case.find('error') is not None for case in cases)),
            'skipped': '0',
            'time': '0.000',
        },
    )
    properties = ET.SubElement(suite, 'properties')
    ET.SubElement(properties, 'property', name='result', value=decision.result)
    ET.SubElement(properties, 'property', name='sentence', value=words.clean(decision.sentence))
    suite.extend(cases)
    ET.SubElement(suite, 'system-out').text = words.clean(subject)
    ET.SubElement(suite, 'system-err').text = ''
    root = ET.Element('testsuites')
    root.append(suite)
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _case(one: gate.Difference) -> ET.Element:
    case = ET.Element(
        'testcase',
        name=words.clean(one.figure.words),
        classname=f'gate.{one.figure.sort}',
        time='0.000',
    )
    if one.worse or one.suspected:
        tag, kind = ('failure', 'worse') if one.worse else ('error', 'cannot tell')
        sentence = words.clean(gate.said(one))
        ET.SubElement(
            case, tag, message=sentence, type=kind
        ).text = f'{sentence}\nby chance: {one.among:.4f}\nold: {_values(one.old)}\nnew: {_values(one.new)}'
    return case


def _values(some: Sequence[float]) -> str:
    return ', '.join(f'{value:g}' for value in some)


def commands(decision: gate.Decision, bundle: str) -> tuple[str, ...]:
    """Annotations of a GitHub workflow: at most ten, an error where it is worse, a warning where it is undecided."""
    if decision.result == 'not worse':
        return ()
    level = 'error' if decision.result == 'worse' else 'warning'
    return tuple(
        github.command(
            level, {'file': bundle, 'line': '1', 'title': f'gate: {decision.result}'}, one
        )
        for one in decision.reasons[: github.MOST]
    )


def summary(decision: gate.Decision, subject: str) -> str:
    """The step summary of a GitHub workflow, in Markdown."""
    mark = {'not worse': '✅', 'worse': '❌', 'cannot tell': '❔'}[decision.result]
    lines = [
        f'## {mark} {decision.result}',
        '',
        github.safe(decision.sentence),
        '',
        github.safe(subject),
        '',
    ]
    lines += [f'- {github.safe(one)}' for one in decision.reasons]
    return '\n'.join(lines) + '\n'
