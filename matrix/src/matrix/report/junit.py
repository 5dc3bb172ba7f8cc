"""JUnit's XML: one testcase for each check of each test. Pure.

Unknown is an `error`, what the bundle did wrong a `failure`; what did not run is `skipped`, never passed. Elements and
attributes are those of the schema that Jenkins and Apache Ant's JUnit task publish.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from matrix.judge import verdict
from matrix.report import lanes, story, words

_TAGS = {verdict.Outcome.FAIL: 'failure', verdict.Outcome.UNKNOWN: 'error'}


def render(report: story.Story) -> str:
    """The whole file as text."""
    root = ET.Element('testsuites')
    for number, test in enumerate(report.tests):
        root.append(_suite(report, test, number))
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _suite(report: story.Story, test: story.Test, number: int) -> ET.Element:
    cases = list(_cases(report, test))
    began = lanes.seconds(report.began)
    suite = ET.Element(
        'testsuite',
        {
            'name': words.clean(test.name),
            'package': words.clean(report.title),
            'id': str(number),
            'timestamp': lanes.iso(began + test.start)
            if began is not None
            else '1970-01-01T00:00:00',
            'hostname': 'localhost',
            'tests': str(len(cases)),
            'failures': str(sum(case.find('failure') is not None for case in cases)),
            'errors': str(sum(case.find('error') is not None for case in cases)),
            'skipped': str(sum(case.find('skipped') is not None for case in cases)),
            'time': f'{max(test.end - test.start, 0):.3f}',
        },
    )
    properties = ET.SubElement(suite, 'properties')
    for name, value in _properties(report, test):
        ET.SubElement(properties, 'property', name=name, value=words.clean(value))
    suite.extend(cases)
    ET.SubElement(suite, 'system-out').text = _printed(report, test)
    ET.SubElement(suite, 'system-err').text = ''
    return suite


def _cases(report: story.Story, test: story.Test) -> Iterator[ET.Element]:
    seconds = f'{max(test.end - test.start, 0):.3f}'
    where = {'classname': words.clean(f'{report.title}.{test.name}')}
    if test.judged.skipped:
        case = ET.Element('testcase', {'name': words.clean(test.name), 'time': '0.000', **where})
        ET.SubElement(case, 'skipped', message=words.clean(test.judged.skipped))
        yield case
        return
    judged = test.judged.verdicts or (
        verdict.Verdict('judged', verdict.Outcome.UNKNOWN, 'nothing was checked'),
    )
    for one in judged:
        case = ET.Element('testcase', {'name': words.clean(one.check), 'time': seconds, **where})
        if tag := _TAGS.get(one.outcome):
            failed = one.outcome is verdict.Outcome.FAIL
            kind = one.signature.error if one.signature else ''
            sentence = words.clean(one.sentence)
            said = ET.SubElement(
                case,
                tag,
                message=sentence,
                type=words.clean(kind) or ('failed' if failed else 'unknown'),
            )
            said.text = '\n'.join((sentence, *_why(report, test, failed)))
        yield case


def _why(report: story.Story, test: story.Test, failed: bool) -> Iterator[str]:
    for one in test.suspects[:3] if failed else ():
        if one.score > 0:
            name = f'{one.event} {one.kind} {", ".join(one.targets)}'
            yield words.clean(f'suspect: {name}: {"; ".join(one.why)}')
    if failed and report.smallest is not None:
        yield words.clean(f'replay: {report.smallest.command}')
    if report.folder:
        yield words.clean(f'evidence: {report.folder}')


def _properties(report: story.Story, test: story.Test) -> Iterator[tuple[str, str]]:
    for name in ('bundle', 'digest', 'seed', 'model', 'version', 'juju'):
        if (value := report.run.get(name)) is not None:
            yield name, story.text(value)
    if test.plan is not None:
        yield 'plan', json.dumps(test.plan)
    yield 'sentence', test.judged.sentence or report.sentence
    if report.smallest is not None:
        yield 'replay', report.smallest.command


def _printed(report: story.Story, test: story.Test) -> str:
    lines = [
        f'{row.period}: {row.total} operations, {row.failed} failed, {row.unanswered} unanswered,'
        f' p50 {words.took(row.p50)}, p99 {words.took(row.p99)}'
        for row in test.rows
    ]
    lines += [f'{one.name}: {"proven" if one.proven else "not proven"}' for one in test.faults]
    return '\n'.join(words.clean(line) for line in lines)
