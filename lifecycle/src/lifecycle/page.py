"""One HTML page that needs nothing but itself: no network, no other file, no script. Pure: its template is given.

What comes from a model is text wherever it stands: escaped by the template's environment, and cleaned of what no
terminal bears. The page's own policy lets nothing be fetched and nothing run.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import hashlib

import jinja2
import markupsafe

from lifecycle.problem import clean
from lifecycle.story import Band, Story

_WIDTH, _ROW, _LABEL = 1000.0, 22.0, 300.0
_LEAST = 2.0
_LOAD = 90.0
"""How high the strip of a load's requests is."""
_MOST_DOTS = 3000


@dataclasses.dataclass(frozen=True)
class Row:
    """A band, where it is drawn."""

    band: Band
    x: float
    y: float
    width: float


def render(story: Story, template: str, style: str) -> str:
    """The whole page as text; *template* and *style* are what it is made of."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, finalize=_clean, trim_blocks=True
    )
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    began = datetime.datetime.fromtimestamp(story.began, datetime.UTC)
    return environment.from_string(template).render(
        policy=f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'",
        style=markupsafe.Markup(style),  # noqa: S704  # It is our own file.
        story=story,
        outcome=_OUTCOMES[story.outcome],
        began=f'{began:%Y-%m-%d %H:%M:%S} UTC',
        length=_duration(story.length),
        rows=_rows(story),
        dots=_dots(story),
        lost=sum(not one.ok for one in story.requests),
        slowest=max((one.seconds for one in story.requests), default=0.0),
        ticks=_ticks(story.length),
        label=_LABEL,
        row=_ROW,
        width=_LABEL + _WIDTH,
        height=_ROW * (len(story.bands) + 1) + (_LOAD if story.requests else 0.0),
        duration=_duration,
    )


_OUTCOMES = {
    'end': 'Done',
    'stop': 'Stopped',
    'cut off': 'Cut off: the journal ends in the middle; the same command goes on',
}


def _clean(value: object) -> object:
    return value if isinstance(value, markupsafe.Markup) else clean(value, 1000)


def _rows(story: Story) -> list[Row]:
    scale = _WIDTH / (story.length or 1.0)
    return [
        Row(
            band,
            round(_LABEL + band.start * scale, 1),
            _ROW * number,
            round(max((band.end - band.start) * scale, _LEAST), 1),
        )
        for number, band in enumerate(sorted(story.bands, key=lambda one: (one.start, one.end)))
    ]


def _dots(story: Story) -> list[tuple[float, float, str]]:
    """Where each request is drawn, the slower the higher, and how it ended: each lost one, of others some thousand."""
    scale = _WIDTH / (story.length or 1.0)
    slowest = max((one.seconds for one in story.requests), default=0.0) or 1.0
    every = max(1, len(story.requests) // _MOST_DOTS)
    top = _ROW * len(story.bands)
    return [
        (
            round(_LABEL + max(one.at - story.began, 0.0) * scale, 1),
            round(top + (_LOAD - 8.0) * (1.0 - one.seconds / slowest) + 4.0, 1),
            'served' if one.ok else 'lost',
        )
        for number, one in enumerate(story.requests)
        if not one.ok or number % every == 0
    ]


def _ticks(length: float) -> list[tuple[float, str]]:
    """Where the time is written: at most ten times."""
    steps = (1, 5, 15, 60, 300, 900, 3600, 4 * 3600, 24 * 3600)
    step = next((s for s in steps if length / s <= 10), int(length / 10))
    scale = _WIDTH / (length or 1.0)
    return [
        (round(_LABEL + at * scale, 1), _duration(at)) for at in range(0, int(length) + 1, step)
    ]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return (
        f'{hours} h {minutes} min'
        if hours
        else f'{minutes} min {rest} s'
        if minutes
        else f'{rest} s'
    )
