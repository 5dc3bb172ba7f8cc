"""Where a new charm gets charmkit from: the wheel that the one at work was installed from, or a package index."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from . import Library

WHEELS = 'wheels'
"""The charm's folder for it."""
_WHEEL = re.compile(
    r'charmkit-(\d{1,9}(?:\.\d{1,9}){0,5}(?:(?:a|b|rc|\.post|\.dev)\d{1,9}){0,3}(?:\+[a-z0-9.]{1,60})?)'
    r'-py3-none-any\.whl'
)


class NotFoundError(Exception):
    """There is no charmkit where it was said to be; the text is for whoever said so."""


@dataclasses.dataclass(frozen=True)
class Source:
    """The library of a charm, and what is copied for it."""

    library: Library
    wheel: pathlib.Path | None = None
    """A wheel to put into the charm's folder, under :data:`WHEELS`."""


def named(text: str, charm: pathlib.Path) -> Source:
    """The library at *text*, a wheel or charmkit's own folder, for a charm that is to be in the folder *charm*.

    Raises:
        NotFoundError: there is neither.
    """
    path = pathlib.Path(text).absolute()
    if path.is_file() and (found := _WHEEL.fullmatch(path.name)):
        return Source(Library(found[1], f'{WHEELS}/{path.name}'), path)
    project = path / 'pyproject.toml'
    if project.is_file() and 'name = "charmkit"' in project.read_text(
        encoding='utf-8', errors='replace'
    ):
        return Source(
            Library(
                version(), os.path.relpath(path.resolve(), charm.parent.resolve() / charm.name)
            )
        )
    raise NotFoundError(
        f'{text}: neither a wheel of charmkit (charmkit-VERSION-py3-none-any.whl) nor its folder'
    )


def at_work(charm: pathlib.Path) -> Source:
    """The library that runs now, as a charm in the folder *charm* can have it, too."""
    origin = _origin()
    url = urlsplit(str(origin.get('url', '')))
    if url.scheme == 'file' and not url.netloc:
        try:
            return named(unquote(url.path), charm)
        except NotFoundError:
            pass  # The wheel that it came from is gone.
    return Source(Library(version()))


def version() -> str:
    """The version of the library that runs now; '0.1.0' where it was never installed."""
    try:
        return importlib.metadata.version('charmkit')
    except importlib.metadata.PackageNotFoundError:
        return '0.1.0'


def _origin() -> Mapping[str, Any]:
    """Where it was installed from: direct_url.json. Source: PEP 610."""
    try:
        text = importlib.metadata.distribution('charmkit').read_text('direct_url.json')
        found = json.loads(text or '{}')
    except (importlib.metadata.PackageNotFoundError, ValueError, OSError):
        return {}
    return cast('Mapping[str, Any]', found) if isinstance(found, dict) else {}
