"""The pages that say what is supported and when the next releases come; made from what the charms declare. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from tools.release import version

_NOTE = '<!-- Written by `make pages` from tools/release/releases.yaml and from the charms. -->'
_WAYS = {
    'replace': 'unit after unit, by new ones',
    'in-place': 'on its machine',
    'own': 'by a procedure of its own',
    'stay': 'with its principal',
    'refresh': 'by its charm alone',
}

Declared = Mapping[str, Mapping[str, Any]]
"""`lifecycle.yaml` of each charm, by its name."""


def calendar(first: version.Version) -> str:
    """The dates of the next four releases, from this one on."""
    rows = [
        f'| {one} | {one.day.isoformat()} | {one.openstack or "—"} | {one.supported_until.isoformat()} |'
        for one in version.upcoming(first)
    ]
    return '\n'.join(
        (
            _NOTE,
            '',
            '# Reference: the calendar',
            '',
            'A release comes every three months, on the third Thursday of February, May, August and November.',
            'Those of May and November are the first for the OpenStack release that came out in the month before.',
            'No date is moved for a feature: it comes with the next release.',
            '',
            '| release | day | new OpenStack | faults are mended until |',
            '|---|---|---|---|',
            *rows,
            '',
            'A week before, nothing but mends is landed, and',
            '[bundles of others](../how-to/test-against-core-charms.md) are tested with what is to come.',
            '',
        )
    )


def support(
    made: Sequence[version.Version],
    first: version.Version,
    declared: Declared,
    releases: Mapping[str, str],
) -> str:
    """What is supported: our releases, the bases of each charm, and what upgrades to what.

    Args:
        made: the releases that there are, the oldest first.
        first: the next one.
        declared: what each charm says of itself.
        releases: the OpenStack release of each base.
    """
    ours = [*made[-version.SUPPORTED :], first]
    lines = [
        _NOTE,
        '',
        '# Reference: what is supported',
        '',
        '## Releases',
        '',
        '| release | day | faults are mended until | comes from |',
        '|---|---|---|---|',
    ]
    before = [*made[-version.SUPPORTED - 1 : -1], None] if made else [None]
    for number, one in enumerate(ours):
        earlier = ours[number - 1] if number else before[0]
        came = f'{earlier}' if earlier else 'nothing: it is the first'
        lines.append(
            f'| {one} | {one.day.isoformat()} | {one.supported_until.isoformat()} | {came} |'
        )
    lines += [
        '',
        'A release is upgraded to from the one before it; that is tested before it comes',
        '([how](../how-to/make-a-release.md)).',
        '',
        '## Bases',
        '',
        '| base | OpenStack of its archive |',
        '|---|---|',
        *(f'| {base} | {name} |' for base, name in releases.items()),
        '',
        '## Charms',
        '',
        '| charm | ' + ' | '.join(releases) + ' | how it comes to the next base |',
        '|---|' + '---|' * (len(releases) + 1),
    ]
    for name, said in sorted(declared.items()):
        own: Mapping[str, str] = said.get('releases') or {}
        cells = [str(own.get(base, '—')) for base in releases]
        ways = ', '.join(_WAYS.get(str(way), str(way)) for way in said.get('ways') or ())
        lines.append(f'| [{name}](charms/{name}.md) | {" | ".join(cells)} | {ways or "—"} |')
    lines += [
        '',
        '## What upgrades to what',
        '',
        '| from | to |',
        '|---|---|',
        *_upgrades(releases),
        '',
        'By `juju lifecycle upgrade` ([how](../how-to/upgrade-a-cloud.md)).',
        '',
    ]
    return '\n'.join(lines)


def _upgrades(releases: Mapping[str, str]) -> list[str]:
    """From each base to the next one of its distribution."""
    found: list[str] = []
    bases = sorted(releases)
    for one, other in itertools.pairwise(bases):
        if one.partition('@')[0] == other.partition('@')[0]:
            found.append(f'| {one}, {releases[one]} | {other}, {releases[other]} |')
    return found
