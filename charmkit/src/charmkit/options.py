"""The options of charms: what each may be, said once. Pure.

An :class:`Option` is at once its entry in ``charmcraft.yaml`` (:mod:`charmkit.generate`), its check and
its reading. :func:`read` takes what the operator has given: a value that will not do is reported by name, with
what would, and the last good one stays in force.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from . import settings, validators

MEMORY = 'options-in-force'
"""The name in the unit's memory of the last good values."""
_SHOWN = 80
Value = str | int | bool


@dataclasses.dataclass(frozen=True)
class Kind:
    """What an option may be."""

    juju: Literal['string', 'int', 'boolean', 'float']
    wants: str
    """What is right, in words that go on after "wanted:"; '' where Juju sees to it."""
    good: Callable[[Any], bool] = lambda _: True
    """Whether a value of Juju's type is right; ValueError says more than that."""
    longest: int = 4000
    confidential: bool = False
    """There may be a password in it: no message quotes it."""
    kept: Callable[[Any], bool] | None = None
    """What a last good value may be, where *good* asks for more than an older version did; None: no less than *good*.
    A value that the older version took stays in force then, and is named: an upgrade takes nothing away."""


@dataclasses.dataclass(frozen=True)
class Option:
    """One option of a charm."""

    name: str
    kind: Kind
    default: Value
    description: str
    published: bool = False
    """It is part of what is published to others: without a good value nothing is published at all."""
    tried: bool = False
    """Only the service can judge it: one that it does not come up with gives way (:mod:`charmkit.proven`)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Read:
    """What :func:`read` has found."""

    values: Mapping[str, Any]
    """What is in force, by name; an option that is not declared is as it was given."""
    good: Mapping[str, Any]
    """What to keep for the next time."""
    refused: Mapping[str, str]
    """What was given and will not do, by name, in words for the operator."""
    unsettled: frozenset[str]
    """Options that are published and never had a good value: it is not known what to tell."""


def read(options: Iterable[Option], given: Mapping[str, Any], kept: Mapping[str, Any]) -> Read:
    """What of *given* is in force; *kept* are the last good values."""
    values = dict(given)
    good: dict[str, Any] = {}
    refused: dict[str, str] = {}
    unsettled: set[str] = set()
    for option in options:
        value = given.get(option.name, option.default)
        wrong = _wrong(option, value)
        if not wrong:
            values[option.name] = good[option.name] = value
            continue
        known = option.name in kept and not _wrong(option, kept[option.name], kept=True)
        values[option.name] = kept[option.name] if known else option.default
        refused[option.name] = _words(option, value, wrong, values[option.name], known=known)
        if known:
            good[option.name] = kept[option.name]
        elif option.published:
            unsettled.add(option.name)
    return Read(values=values, good=good, refused=refused, unsettled=frozenset(unsettled))


def _wrong(option: Option, value: object, *, kept: bool = False) -> str:
    """'' for a value that is right, else what is wanted, and where it is wrong if that is known.

    *kept*: it is a last good one.
    """
    kind = option.kind
    typed = {'string': str, 'int': int, 'boolean': bool, 'float': float}[kind.juju]
    if not isinstance(value, typed) or isinstance(value, bool) != (typed is bool):
        return kind.wants or kind.juju
    if isinstance(value, str) and len(value) > kind.longest:
        return f'{kind.wants}, of at most {kind.longest} characters'
    good = kind.kept if kept and kind.kept else kind.good
    try:
        return '' if good(value) else kind.wants
    except ValueError as e:
        return f'{kind.wants} ({e})'


def _words(option: Option, value: object, wrong: str, instead: object, *, known: bool) -> str:
    if known and value == instead:
        what = 'this' if option.kind.confidential else _shown(value)
        return f'option {option.name}: {what} stays in force, but set anew it would be refused; wanted: {wrong}'
    given = 'this' if option.kind.confidential else _shown(value)
    other = 'the last good one' if known and option.kind.confidential else _shown(instead)
    stays = f'{other} stays in force' if known else f'{other} is in force, the default'
    if instead == '':
        stays = 'it stays unset' if known else 'it counts as not set'
    return f'option {option.name}: {given} will not do, {stays}; wanted: {wrong}'


def _shown(value: object) -> str:
    text = repr(' '.join(map(_open, value.split(' '))) if isinstance(value, str) else value)
    return text if len(text) <= _SHOWN else f'{text[:_SHOWN]}…'


def _open(word: str) -> str:
    """*word* without a name and password that stand before the host of a URL (RFC 3986, section 3.2.1)."""
    before, at, host = word.rpartition('@')
    scheme, slashes, _ = before.partition('//')
    return f'{scheme if slashes else ""}{slashes}…@{host}' if at and ':' in before else word


SWITCH = Kind('boolean', '')


def count(
    least: int,
    most: int,
    unit: str = '',
    *,
    or_zero: bool = False,
    least_kept: int | None = None,
) -> Kind:
    """A whole number from *least* to *most*; or 0, where that stands for the charm's own choice.

    *least_kept*: the least that an older version took, where that was less: it stays in force.
    """
    zero = '0 or ' if or_zero else ''
    wants = f'{zero}a whole number from {least} to {most}{f" ({unit})" if unit else ""}'

    def good(value: int) -> bool:
        return least <= value <= most or (or_zero and value == 0)

    def kept(value: int) -> bool:
        return good(value) or (least_kept is not None and least_kept <= value <= most)

    return Kind('int', wants, good, kept=kept)


def one_of(*words: str) -> Kind:
    """One of some words."""
    return Kind('string', f'one of {", ".join(words)}', lambda value: value in words)


_REGION = re.compile(r'[A-Za-z0-9][A-Za-z0-9._-]{0,254}')


def _one_word(word: str) -> tuple[str, ...]:
    return (word,)


def words(
    wants: str,
    good: Callable[[str], bool],
    *,
    most: int = 64,
    parts: Callable[[str], tuple[str, ...]] = _one_word,
) -> Kind:
    """Words separated by spaces, each one *good*; *wants* says what they are.

    None of the *parts* of a word may be one of another's; without them each word is there once.
    """
    return Kind('string', f'{wants}, separated by spaces', _each(good, most=most, parts=parts))


def _each(
    good: Callable[[str], bool],
    *,
    most: int,
    least: int = 0,
    parts: Callable[[str], tuple[str, ...]] = _one_word,
) -> Callable[[str], bool]:
    def every(text: str) -> bool:
        words = text.split()
        if not (least <= len(words) <= most and all(map(good, words))):
            return False
        found = [part for word in words for part in parts(word)]
        twice = next((part for part in found if found.count(part) > 1), '')
        if twice and twice not in words:
            raise ValueError(f'{twice} is there twice')
        return not twice

    return every


HOSTNAME = Kind(
    'string',
    'a host name, without scheme and port',
    lambda text: not text or validators.is_hostname(text),
)
ADDRESSES = Kind(
    'string',
    'unicast addresses, each once, separated by spaces',
    _each(validators.is_unicast, most=6),
)
NETWORKS = Kind(
    'string',
    'networks (CIDR) or addresses, separated by spaces',
    _each(validators.is_network, most=64),
)
REGION = Kind(
    'string',
    "a region's name: letters, digits, dots, dashes and underscores",
    lambda text: bool(_REGION.fullmatch(text)),
)
REGIONS = Kind(
    'string',
    'one or more names of regions, each once, separated by spaces',
    _each(lambda text: bool(_REGION.fullmatch(text)), least=1, most=64),
)


ORIGINS = Kind(
    'string',
    'origins such as https://dashboard.example.com, separated by spaces',
    _each(validators.is_origin, most=32),
)

HOSTNAMES = Kind(
    'string',
    'host names, without scheme and port, separated by spaces',
    _each(validators.is_hostname, most=64),
)
SECTIONS = Kind(
    'string',
    '[section] lines with key = value lines under them',
    lambda text: bool(settings.sections(text)) or True,
    longest=64_000,
    confidential=True,
)
RULES = Kind(
    'string',
    'YAML, the name of each rule with its check',
    lambda text: bool(settings.rules(text)) or True,
    longest=64_000,
)

DEBUG = Option('debug', SWITCH, False, 'Log at debug level.')
ORIGIN = (
    Option(
        'openstack-origin',
        Kind(
            'string',
            'distro, cloud:SUITE-RELEASE, or deb URL SUITE COMPONENT…, without a password',
            validators.is_archive,
            confidential=True,
        ),
        'distro',
        "The archive that OpenStack's packages come from: `distro`, Ubuntu's cloud archive such as "
        '`cloud:noble-epoxy`, or a line of sources.list, `deb URL SUITE COMPONENT`. A new unit takes its '
        'release at once; one that serves does with the action openstack-upgrade.',
    ),
    Option(
        'openstack-origin-key',
        Kind(
            'string',
            'an ASCII-armoured public key, from its BEGIN line to its END line',
            validators.is_public_key,
            longest=64_000,
            confidential=True,
        ),
        '',
        'The ASCII-armoured public key that signs the archive of a `deb` line.',
    ),
)
FLAGS = Option(
    'config-flags',
    SECTIONS,
    '',
    "More of the service's configuration. It takes precedence over what the charm sets, but for what comes "
    'from relations.',
    tried=True,
)
AGENT = (DEBUG, *ORIGIN, FLAGS)
"""What every agent's charm has."""

API = (
    Option(
        'region', REGION, 'RegionOne', 'Region of the endpoints in the catalogue.', published=True
    ),
    DEBUG,
    *ORIGIN,
    Option('workers', count(0, 64), 0, 'Processes of the API. 0 sizes them to the machine.'),
    Option(
        'threads',
        count(0, 128),
        0,
        'Threads in each process. 0 takes 8, 32 where images are moved, or 1 where eventlet allows '
        'no more.',
    ),
    Option(
        'vip',
        ADDRESSES,
        '',
        'Virtual addresses, separated by spaces, that the units serve on among themselves when no '
        'load balancer is related: at most one for each network.',
        published=True,
    ),
    *(
        Option(
            f'os-{kind}-hostname',
            HOSTNAME,
            '',
            f'Name of the {kind} endpoint in the catalogue, instead of an address.',
            published=True,
        )
        for kind in ('public', 'internal', 'admin')
    ),
    Option(
        'cors-allowed-origins',
        ORIGINS,
        '',
        'Origins of web pages that may use the API from a browser (CORS). Empty allows none.',
        tried=True,
    ),
    Option(
        'policy-overrides',
        RULES,
        '',
        "Rules of the API's policy that take the place of its release's own.",
        tried=True,
    ),
    FLAGS,
)
"""What every API charm has."""


_OF_APIS = ('region', 'cors-allowed-origins', 'policy-overrides', FLAGS.name)
WEBSITE = tuple(option for option in API if option.name not in _OF_APIS)
"""What the charm of a web site for people has: it is in no catalogue, and its files are not oslo.config's."""


def declared(*more: Option, common: Iterable[Option] = API) -> tuple[Option, ...]:
    """*common* with *more*, the charm's own; one of the same name takes the place of the common one."""
    own = {option.name: option for option in more}
    taken = tuple(own.pop(option.name, option) for option in common)
    return (*taken, *own.values())
