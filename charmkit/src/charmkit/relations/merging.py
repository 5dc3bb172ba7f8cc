"""What several subordinates want of one principal, put together; where two disagree, one is refused by name. Pure.

The order is that of the applications' names, whatever the order in which they came: so each unit comes to the same, and
so does each run.

* An option of a section has one value. Who is first by name has it; whoever wants another is refused, for that option.
* Lists (packages, drivers, service plugins) are put together: what any of them names, each once.
* A choice of which there is one (``core-plugin``) is the first's; whoever wants another is refused.
* Triggers are put together: when any is another one, all is done anew.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TypeVar

from .subordinate import Contribution

T = TypeVar('T')


@dataclasses.dataclass(frozen=True)
class Disagreement:
    """What one subordinate does not get."""

    app: str
    what: str
    """Without any value: it may be a password."""
    holder: str
    """The application that has it."""

    def __str__(self) -> str:
        return f"{self.app}: {self.what} is {self.holder}'s already, with another value; set both alike"


def _no_sections() -> Mapping[str, Mapping[str, Mapping[str, str]]]:
    return {}


@dataclasses.dataclass(frozen=True)
class Merged:
    """What all of them want together."""

    sections: Mapping[str, Mapping[str, Mapping[str, str]]] = dataclasses.field(
        default_factory=_no_sections, repr=False
    )
    packages: tuple[str, ...] = ()
    restarts: tuple[str, ...] = ()
    migrations: tuple[str, ...] = ()
    authorities: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str], repr=False)
    """Certificates, by application."""
    disagreements: tuple[Disagreement, ...] = ()


def merge(contributions: Iterable[Contribution]) -> Merged:
    """All of *contributions* in one."""
    ordered = sorted(contributions, key=lambda c: (c.app, repr(c.sections)))
    wanted = [
        (c.app, (path, section, option), value)
        for c in ordered
        for path, sections in sorted(c.sections.items())
        for section, options in sorted(sections.items())
        for option, value in options.items()
    ]
    held, refused = _held(wanted)
    sections: dict[str, dict[str, dict[str, str]]] = {}
    for c in ordered:
        for path, inner in sorted(c.sections.items()):
            for section in sorted(inner):
                sections.setdefault(path, {}).setdefault(section, {})
    for (path, section, option), value in held.items():
        sections[path][section][option] = value
    return Merged(
        sections=sections,
        packages=_each_once(name for c in ordered for name in c.packages),
        restarts=tuple(f'{c.app} {c.restart}' for c in ordered if c.restart),
        migrations=tuple(f'{c.app} {c.migrate}' for c in ordered if c.migrate),
        authorities={c.app: c.ca for c in ordered if c.ca},
        disagreements=tuple(
            Disagreement(app, f'{path}: [{section}] {option}', holder)
            for app, (path, section, option), holder in refused
        ),
    )


def choice(what: str, wanted: Iterable[tuple[str, str]]) -> tuple[str, tuple[Disagreement, ...]]:
    """The one value of *what*, from what each application wants ('' is nothing), and who does not get his."""
    ordered = ((app, what, value) for app, value in sorted(wanted) if value)
    held, refused = _held(ordered)
    return held.get(what, ''), tuple(Disagreement(app, what, holder) for app, _, holder in refused)


def together(wanted: Iterable[tuple[str, str]]) -> str:
    """Lists separated by commas, of one application each, in one: the first by name comes first."""
    return ','.join(
        _each_once(
            word for _, text in sorted(wanted) for word in map(str.strip, text.split(',')) if word
        )
    )


def _held(
    wanted: Iterable[tuple[str, T, str]],
) -> tuple[dict[T, str], list[tuple[str, T, str]]]:
    """By key, the value of who was first; and whoever wanted another one: (application, key, who has it)."""
    held: dict[T, str] = {}
    holders: dict[T, str] = {}
    refused: list[tuple[str, T, str]] = []
    for app, key, value in wanted:
        if key not in held:
            held[key], holders[key] = value, app
        elif held[key] != value:
            refused.append((app, key, holders[key]))
    return held, refused


def _each_once(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(words))
