"""One HTML page that needs nothing but itself: no network, no other file, in light and dark, with or without scripts.

Pure: the assets (template, style and scripts, in `assets/`) are given. What comes from a model is text wherever it
stands: escaped by the template's environment, without `<` in the data, and put into the page by the scripts as text
alone. The page's own policy lets no other script run and nothing be fetched.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import json
from typing import Any

import jinja2
import markupsafe

from matrix.report import lanes, packed, sections, story, words

_MOST_BAD = 4000  # operations with their journal entry and request id


@dataclasses.dataclass(frozen=True)
class Assets:
    """What the page is made of: its template, CSS, JavaScript, and the HTML of the timeline."""

    template: str
    style: str
    script: str
    timeline: str


def render(report: story.Story, assets: Assets) -> str:
    """The whole page as text."""
    policy = (
        f"default-src 'none'; style-src '{_digest(assets.style)}'; script-src '{_digest(assets.script)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return _template(assets.template).render(
        sections.values(report),
        policy=policy,
        style=assets.style,
        script=assets.script,
        timeline=assets.timeline,
        data=_json(_data(report)),
    )


@functools.cache
def _template(text: str) -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name, one in sections.FILTERS.items():
        environment.filters[name] = one
    return environment.from_string(text)


def _clean(value: object) -> object:
    return value if isinstance(value, markupsafe.Markup) else words.clean(str(value))


def _digest(text: str) -> str:
    return f'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'


def _json(value: object) -> str:
    """JSON that cannot end the element that it stands in."""
    text = json.dumps(value, separators=(',', ':'), ensure_ascii=True, allow_nan=False)
    return text.replace('<', '\\u003c').replace('>', '\\u003e').replace('&', '\\u0026')


# --- What the scripts draw.


def _data(report: story.Story) -> dict[str, Any]:
    operations = sorted(
        (one for test in report.tests for one in test.operations), key=lambda one: one.at
    )
    dots = packed.pack(operations)
    bad = [
        [n, operations[index].seq, (end.request if (end := operations[index].end) else '')]
        for n, index in enumerate(dots.order)
        if operations[index].how != 'ok'
    ]
    length = max([report.length, *(one.at + (one.latency or 0) for one in operations[-1:])]) or 1.0
    return {
        'length': length,
        'epoch': lanes.seconds(report.began),
        'view': _view(report, length),
        'kinds': [words.clean(one) for one in dots.kinds],
        'texts': [[words.short(part, 400) for part in one] for one in dots.texts],
        'count': dots.count,
        'packed': dots.data,
        'bad': bad[:_MOST_BAD],
        'tests': [
            {'name': words.clean(t.name), 'start': t.start, 'end': t.end} for t in report.tests
        ],
        'stages': [
            {'what': words.clean(one.what), 'start': one.start, 'end': one.end}
            for test in report.tests
            for one in test.stages
        ],
        'faults': [_fault(test, one) for test in report.tests for one in test.faults],
        'lanes': [_lane(one) for one in report.lanes],
        'logs': [
            [one.at, words.clean(one.unit), words.short(one.line, 2000)]
            for one in sections.shown_logs(report)
        ],
    }


def _view(report: story.Story, length: float) -> list[float]:
    """Where the page opens: the worst test, from the load's first stage on."""
    worst = report.worst
    if worst is None or not worst.operations:
        return [0.0, length]
    control = min(one.at for one in worst.operations)
    pad = (worst.end - control) * 0.01
    return [max(control - pad, 0.0), min(worst.end + pad, length)]


def _fault(test: story.Test, one: story.Fault) -> dict[str, Any]:
    rank, suspect = sections.ranked(test).get(one.id, (0, None))
    return {
        'id': words.clean(one.id),
        'kind': words.clean(one.kind),
        'targets': [words.clean(target) for target in one.targets],
        'start': one.start,
        'landed': one.landed,
        'healed': one.healed,
        'proven': one.landed is not None,
        'proof': words.short(one.proof, 400),
        'rank': rank,
        'score': suspect.score if suspect else 0.0,
        'why': [words.short(why, 300) for why in suspect.why] if suspect else [],
    }


def _quiet(one: lanes.Lane) -> bool:
    """Whether it is no unit, and ended and stayed as it should be: shown when asked for."""
    ills = {'blocked', 'error', 'lost', 'failed', 'down', 'unknown', 'terminated'}
    unit = '/' in one.of or one.of.startswith('VIP ')
    return not unit and not any(each.what in ills for each in one.spans)


def _lane(one: lanes.Lane) -> dict[str, Any]:
    def span(each: lanes.Span) -> list[Any]:
        return [each.start, each.end, words.clean(each.what), words.short(each.said, 300)]

    return {
        'of': words.clean(one.of),
        'vip': one.of.startswith('VIP '),
        'quiet': _quiet(one),
        'spans': [span(each) for each in one.spans],
        'hooks': [span(each) for each in one.hooks],
    }
