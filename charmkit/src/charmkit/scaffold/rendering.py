"""The templates of ``charmkit new``, filled in. Reads the templates that are in the package, and nothing else."""

from __future__ import annotations

import pathlib
import re

import jinja2

from . import Wanted

_SUFFIX = '.j2'
_TEMPLATES = pathlib.Path(__file__).with_name('templates')


def render(wanted: Wanted) -> dict[str, str]:
    """Every file of the charm but those that it is to declare first, by its path in the charm's folder."""
    environment = jinja2.Environment(  # noqa: S701 -- it is Python and YAML, from names that are validated
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    found: dict[str, str] = {}
    for part in ('common', wanted.kind.name):
        for path in sorted((_TEMPLATES / part).rglob(f'*{_SUFFIX}')):
            inner = path.relative_to(_TEMPLATES / part).as_posix().removesuffix(_SUFFIX)
            template = environment.get_template(path.relative_to(_TEMPLATES).as_posix())
            if text := template.render(wanted.values):  # '': this charm has no such file.
                found[_filled(inner, wanted)] = text
    return found


def _filled(path: str, wanted: Wanted) -> str:
    return re.sub(r'__(\w+?)__(?=[_./])', lambda m: str(wanted.values[m[1]]), path)
