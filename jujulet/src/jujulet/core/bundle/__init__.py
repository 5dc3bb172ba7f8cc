"""Bundles: read, checked, and turned into the ordered steps that make a model match them. All of it pure.

For ``juju deploy bundle.yaml``::

    found = bundle.parse(text, path=path, overlays=[(path2, text2)], read=read_bytes)   # raises Invalid
    for name, app in found.applications.items():              # a charm not given by a path: app.local is False
        base = bases.choose(charmdir.read(app.charm), found.base_of(name), model_default)
        charms[name] = charmdir.load(app.charm, base, store)  # then AddCharm, and replace(charm, url=url)
    steps = bundle.plan(model, found, charms, bases=chosen, resources=..., trust=..., machines=...)  # Invalid
    print(bundle.describe(steps, dry_run=dry_run))
    names = {}
    for step in steps:
        answer = change(bundle.fill(step, names))             # a requests.*, or a Consume: look the offer up
        names = bundle.learn(step, answer, names)

``plan`` checks everything that can be checked before the first step, so that nothing is half made; on a model that
matches already it gives no steps. ``model`` may be the model from before the AddCharm requests.
"""

from __future__ import annotations

from collections.abc import Iterable

from . import document, merge, schema
from .document import Invalid
from .merge import Read
from .nouns import Bundle, BundleApplication, BundleMachine, BundleRelation, Placement
from .plan import plan
from .steps import Consume, Step, describe, fill, learn

__all__ = [
    'Bundle', 'BundleApplication', 'BundleMachine', 'BundleRelation', 'Consume', 'Invalid', 'Placement', 'Step',
    'describe', 'fill', 'learn', 'parse', 'plan',
]  # fmt: skip


def _no_files(path: str) -> bytes:
    raise FileNotFoundError(2, 'No such file or directory', path)


def parse(
    text: str,
    *,
    path: str,
    overlays: Iterable[tuple[str, str]] = (),
    read: Read = _no_files,
) -> Bundle:
    """The bundle in *text*, which came from *path*, with its further documents and then *overlays* laid over it.

    Args:
        text: one or more YAML documents; those after the first are overlays.
        path: names the bundle in errors; paths in the bundle are relative to its folder.
        overlays: (path, text) of each ``--overlay``, in order.
        read: gives the bytes of a file that is included; raises OSError.

    Raises:
        Invalid: all problems, one a line: ``file:line: what; what would be right``.
    """
    documents = document.parse(text, path)
    if not documents:
        raise Invalid(f'{path}:1: the bundle is empty')
    for place, over in overlays:
        documents += document.parse(over, place)
    first, *rest = [merge.resolved(d, read) for d in documents]
    return schema.read(merge.merged(first, rest))
