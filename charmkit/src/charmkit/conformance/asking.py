"""How a rule is written down: a function with its sentence and its cure. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from . import ConformanceRule, Level
from .view import View

Find = Callable[[View], Iterator[str]]


def any_charm(_: View) -> bool:
    """Every charm."""
    return True


def api(view: View) -> bool:
    """API services, of whatever library."""
    return view.is_api


def declared_api(view: View) -> bool:
    """API services and sites that are declared with charmkit."""
    return view.kind in ('api', 'website')


def declared(view: View) -> bool:
    """Whatever is declared with a spec of charmkit's."""
    return view.kind in ('api', 'website', 'agent')


def with_charmkit(view: View) -> bool:
    """Whatever uses charmkit."""
    return bool(view.kind)


def folder(view: View) -> bool:
    """Charms that are looked at as their authors have them."""
    return not view.packed


def subordinate(view: View) -> bool:
    """Subordinates."""
    return view.subordinate


def asks(
    name: str,
    sentence: str,
    cure: str,
    *,
    of: Callable[[View], bool] = any_charm,
    level: Level = 'must',
) -> Callable[[Find], ConformanceRule]:
    """Make a rule of a function that finds where it is not kept."""

    def made(find: Find) -> ConformanceRule:
        whom = (of.__doc__ or '').strip().rstrip('.')
        return ConformanceRule(
            name=name, sentence=sentence, cure=cure, find=find, applies=of, of=whom, level=level
        )

    return made
