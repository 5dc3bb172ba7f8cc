"""Where a base's packages come from: read from how the host's own apt is set up. Pure: text in, text out.

Formats: sources.list(5), both the one-line and the deb822 style. No archive's address is known here.
"""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Iterable, Sequence

from jujulet.core import charm

CODENAMES = {
    'debian': {'11': 'bullseye', '12': 'bookworm', '13': 'trixie', '14': 'forky'},
    'ubuntu': {
        '20.04': 'focal',
        '22.04': 'jammy',
        '24.04': 'noble',
        '25.10': 'questing',
        '26.04': 'resolute',
    },
}
"""Code name of each release, by distribution and base channel."""

_ALIASES = {'debian': ('stable', 'oldstable', 'testing'), 'ubuntu': ()}
_POCKETS = ('', '-updates', '-security')
_KEPT = (
    'Acquire::Check-',
    'Acquire::http',
    'Acquire::https',
    'Acquire::ftp',
    'Acquire::Retries',
    'Acquire::Force',
    'Acquire::Allow',
    'Acquire::Max-FutureTime',
    'Acquire::By-Hash',
    'Acquire::Languages',
    'Acquire::GzipIndexes',
    'APT::Get::AllowUnauthenticated',
)


@dataclasses.dataclass(frozen=True)
class Source:
    """One entry of apt's sources that gives binary packages."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    """Fields as deb822 spells them, such as ``Signed-By``; values may hold several lines."""


def parse_list(text: str) -> list[Source]:
    """Entries of a ``.list`` file; what is commented out, ``deb-src`` or not understood is left out."""
    found: list[Source] = []
    for line in text.splitlines():
        entry = re.match(r'\s*deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<rest>[^#\[]+)', line)
        if entry is None:
            continue
        words = entry['rest'].split()
        if len(words) < 2:
            continue
        options = tuple(
            (_field(name.rstrip('+-')), value.replace(',', ' '))
            for name, _, value in (o.partition('=') for o in (entry['options'] or '').split())
        )
        found.append(Source((words[0],), (words[1],), tuple(words[2:]), options))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Entries of a ``.sources`` file; disabled ones and those without binary packages are left out."""
    found: list[Source] = []
    for stanza in re.split(r'\n[ \t]*\n', text):
        fields: dict[str, str] = {}
        last = ''
        for line in stanza.splitlines():
            if line.startswith('#') or not line.strip():
                continue
            if line[0] in ' \t':
                fields[last] = f'{fields.get(last, "")}\n{line}'
            else:
                name, _, value = line.partition(':')
                last = name.strip().lower()
                fields[last] = value.strip()
        take = {
            name: tuple(fields.pop(name, '').split())
            for name in ('types', 'uris', 'suites', 'components')
        }
        enabled = fields.pop('enabled', 'yes').strip().lower() not in ('no', 'false', '0')
        if enabled and 'deb' in take['types'] and take['uris'] and take['suites']:
            options = tuple((_field(name), value) for name, value in fields.items())
            found.append(Source(take['uris'], take['suites'], take['components'], options))
    return found


def _field(name: str) -> str:
    known = {'arch': 'Architectures', 'lang': 'Languages', 'target': 'Targets'}
    return known.get(name.lower(), '-'.join(part.capitalize() for part in name.split('-')))


def codename(base: charm.Base) -> str:
    """``bookworm`` for ``debian@12``; empty if we know no such release."""
    return CODENAMES.get(base.name, {}).get(base.channel.partition('/')[0], '')


def for_base(sources: Iterable[Source], base: charm.Base) -> list[Source]:
    """The distribution's own entries among *sources*, moved to the release of *base*.

    An entry is the distribution's own if its suite is one of its releases (or their updates or security), it has a
    component ``main``, and it is signed by no keyring of somebody else's. Backports and other people's archives do
    not come along. Empty: the host has no archive of that distribution.
    """
    target = codename(base)
    known = (*CODENAMES.get(base.name, {}).values(), *_ALIASES.get(base.name, ()))
    if not target:
        return []
    found: dict[Source, None] = {}
    for source in sources:
        suites = tuple(s for suite in source.suites if (s := _moved(suite, known, target)))
        if suites and 'main' in source.components and _own(source, base.name):
            options = tuple(o for o in source.options if o[0] not in ('Architectures', 'Targets'))
            found[dataclasses.replace(source, suites=suites, options=options)] = None
    moved = list(found)
    return moved if any(target in s.suites for s in moved) else []


def _moved(suite: str, known: Sequence[str], target: str) -> str:
    release, mark, pocket = suite.replace('/updates', '-security').partition('-')
    return target + mark + pocket if release in known and mark + pocket in _POCKETS else ''


def _own(source: Source, distribution: str) -> bool:
    signed = dict(source.options).get('Signed-By', '').strip()
    if not signed.startswith('/'):
        return True
    return all(distribution in path.rpartition('/')[2] for path in signed.split())


def render(sources: Iterable[Source]) -> str:
    """Entries as a ``.sources`` file."""
    stanzas: list[str] = []
    for source in sources:
        fields = {
            'Types': 'deb',
            'URIs': ' '.join(source.uris),
            'Suites': ' '.join(source.suites),
            'Components': ' '.join(source.components),
            **dict(source.options),
        }
        stanzas.append(''.join(f'{name}: {value}\n' for name, value in fields.items()))
    return '\n'.join(stanzas)


def keyrings(sources: Iterable[Source]) -> list[str]:
    """Files that the entries are signed by."""
    signed = [dict(s.options).get('Signed-By', '').split() for s in sources]
    return sorted({word for words in signed for word in words if word.startswith('/')})


def options(dump: str, environment: Iterable[tuple[str, str]] = ()) -> list[str]:
    """What of ``apt-config dump`` holds in a machine too: proxies, checks of dates, retries, as configuration lines.

    Proxies that the host has in its *environment* become configuration, as a machine has none.
    """
    kept: list[str] = []
    for line in dump.splitlines():
        name, _, value = line.partition(' ')
        if name.startswith(_KEPT) and value not in ('"";', ''):
            kept.append(line)
    for name, value in environment:
        scheme = {'http_proxy': 'http', 'https_proxy': 'https'}.get(name.lower())
        if scheme and value and not any(k.startswith(f'Acquire::{scheme}::Proxy ') for k in kept):
            quoted = value.replace('"', '')
            kept.append(f'Acquire::{scheme}::Proxy "{quoted}";')
    return kept


def without_password(uri: str) -> str:
    """A URI as it may be shown: without the user and password that it may carry."""
    return re.sub(r'//[^/@]*@', '//', uri)


def shell_values(text: str) -> dict[str, str]:
    """What ``apt-config shell`` printed: ``NAME='value'`` lines."""
    pairs = (word.partition('=') for word in shlex.split(text))
    return {name: value for name, _, value in pairs}
