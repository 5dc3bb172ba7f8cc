"""Bundles that name each charm by its revision, for a release. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CHARM = re.compile(
    r'^(?P<indent> +)charm: \.\./charms/(?P<name>[a-z0-9-]+) *(?P<comment>#.*)?$', re.MULTILINE
)


def text(bundle: str, revisions: Mapping[str, int], channel: str) -> str:
    """A bundle with charms of the store in place of folders; all else, its comments too, as it is.

    Args:
        bundle: its text.
        revisions: of each charm by its name.
        channel: that later revisions come from.

    Raises:
        ValueError: a charm of the bundle has no revision.
    """

    def named(found: re.Match[str]) -> str:
        name, indent = found['name'], found['indent']
        if name not in revisions:
            raise ValueError(f'the charm {name} has no revision')
        comment = f'  {found["comment"]}' if found['comment'] else ''
        return (
            f'{indent}charm: {name}{comment}\n{indent}channel: {channel}\n'
            f'{indent}revision: {revisions[name]}'
        )

    return _CHARM.sub(named, bundle)
