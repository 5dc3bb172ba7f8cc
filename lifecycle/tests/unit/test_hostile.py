"""What comes from a model is untrusted: whatever it answers, it is read, or refused in one sentence."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest
import simulated
import yaml
from hypothesis import given
from hypothesis import strategies as st

from lifecycle import (
    declared,
    journal,
    observed,
    page,
    plan,
    preflight,
    record,
    shown,
    story,
    upgrade_request,
)
from lifecycle.journal import JournalEntry
from lifecycle.problem import ProblemError
from lifecycle.step import Target

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 3)
    | st.floats()
    | st.sampled_from(
        [
            '',
            '/',
            'a/b',
            'keystone',
            'keystone/0',
            'x/-1',
            '\ud800',
            '\x1b[2J',
            'Ⅷ/²',
            '[',
            '{"a":1}',
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(['', 'a', 'keystone/0', 'b/c', 'acks', '\ud800']), inner, max_size=3
        )
    ),
    max_leaves=6,
)


def _places(value: object, at: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
    found = [at]
    if isinstance(value, dict):
        for key, one in cast('dict[object, object]', value).items():
            found += _places(one, (*at, key))
    if isinstance(value, list):
        for number, one in enumerate(cast('list[object]', value)):
            found += _places(one, (*at, number))
    return found


def _put(value: Any, at: tuple[Any, ...], what: object) -> Any:
    if not at:
        return what
    copy = value.copy()
    copy[at[0]] = _put(value[at[0]], at[1:], what)
    return copy


def _spoilt(data: st.DataObject, value: object) -> Any:
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(_places(value)))
        value = _put(value, at, data.draw(ANYTHING))
    return value


def _model() -> simulated.Model:
    model = simulated.Model()
    model.deploy('keystone', 2)
    model.deploy('glance', 1, after='keystone')
    return model


def _status() -> dict[str, Any]:
    status = dict(_model().status())
    status['applications']['keystone']['units']['keystone/0']['subordinates'] = {
        'sub/0': {'workload-status': {'current': 'active'}}
    }
    status['applications']['sub'] = {'subordinate-to': ['keystone'], 'base': {}}
    status['storage'] = {'storage': {'d/0': {'attachments': {'units': {'keystone/0': {}}}}}}
    return status


@given(data=st.data())
def test_a_status_is_read_or_refused(data: st.DataObject):
    model = _model()
    shown_units = model.show_units(['keystone/0', 'keystone/1', 'glance/0'])
    status, units = _status(), dict(shown_units)
    which = data.draw(st.booleans())
    status, units = (_spoilt(data, status), units) if which else (status, _spoilt(data, units))
    known = declared.parse(simulated.DECLARED.format(name='identity', after=''), 'x')
    try:
        seen = observed.read(
            status, shown=units, declarations=dict.fromkeys(('keystone', 'glance', 'sub'), known)
        )
        made = plan.plan(seen, Target(base='debian@13'))
    except ProblemError:
        return
    text = shown.table(seen, made, preflight.findings(seen, made))
    text.encode()
    assert '\x1b' not in text
    shown.as_json(seen, made, preflight.findings(seen, made))


@given(data=st.data())
def test_a_record_is_read_or_refused(data: st.DataObject):
    kept = record.Record(
        base='debian@13',
        began=1,
        holder=record.Holder(who='ann', nonce='n', until=3),
        started={'keystone': record.Started(base='debian@12', units=2, old=('keystone/0',))},
        ran={'keystone': (record.Ran(verb='expand', unit='keystone/2', at=1),)},
        skips={'keystone.drain.0': 'why'},
    )
    spoilt = _spoilt(data, json.loads(record.dump(kept)['record-0']))
    model = _model()
    model.revisions.append({'record-0': json.dumps(spoilt)})
    try:
        known = upgrade_request.survey(
            model, upgrade_request.UpgradeRequest(target=Target(base='debian@13'))
        )
    except ProblemError:
        return
    shown.table(known.seen, known.plan, known.findings).encode()


@given(data=st.data())
def test_a_declaration_is_read_or_refused(data: st.DataObject):
    whole = yaml.safe_load(simulated.DECLARED.format(name='identity', after='database'))
    try:
        declared.parse(json.dumps(_spoilt(data, whole)), 'keystone')
    except ProblemError as problem:
        assert str(problem).isprintable()


@pytest.mark.parametrize(
    ('text', 'says'),
    [
        ('version: 1\nprovides: ["\ud800"]', 'no YAML'),
        ('version: true', 'version: True is not known'),
        (
            'version: &a [1, 1, 1]\nafter: &b [*a, *a, *a]\nway: [*b, *b]',
            'anchors and aliases are not read',
        ),
        ('version: 1\nway: stay\nway: own', 'way: stands there twice'),
    ],
)
def test_yaml_that_is_not_what_it_seems_is_refused(text: str, says: str):
    with pytest.raises(ProblemError, match=says):
        declared.parse(text, 'keystone')


@given(data=st.data())
def test_a_journal_that_somebody_has_written_into_makes_a_page(
    data: st.DataObject, tmp_path_factory: Any
):
    event = {'at': 1.0, 'kind': 'step', 'step': 'a.add.1', 'application': 'a', 'said': 'x'}
    lines = [json.dumps(_spoilt(data, event)) for _ in range(3)]
    path = tmp_path_factory.mktemp('j') / 'j.jsonl'
    path.write_text('\n'.join(lines))
    told = story.summarise(journal.read(path))
    page.render(told, '{{ story.title }} {% for row in rows %}{{ row.x }}{% endfor %}', '')
    assert all(isinstance(one, JournalEntry) for one in journal.read(path))
