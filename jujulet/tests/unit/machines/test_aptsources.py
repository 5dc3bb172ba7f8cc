"""Apt's own configuration decides where bases come from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jujulet.core import charm
from jujulet.machines import aptsources
from jujulet.machines.aptsources import Source

BOOKWORM = charm.Base('debian', '12')
TRIXIE = charm.Base('debian', '13')
NOBLE = charm.Base('ubuntu', '24.04')

DEB822 = """\
Types: deb deb-src
# a comment between fields
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Check-Valid-Until: no

Types: deb
Enabled: no
URIs: http://mirror.example/never
Suites: bookworm
Components: main

Types: deb-src
URIs: http://mirror.example/never
Suites: bookworm
Components: main
"""

ONE_LINE = """\
# deb http://mirror.example/never bookworm main
deb [arch=amd64 signed-by=/k/debian.gpg check-valid-until=no] http://mirror.example/debian bookworm main contrib # tail
deb-src http://mirror.example/never bookworm main
deb http://mirror.example/debian-security bookworm-security main
deb http://flat.example/repo ./
"""

OTHERS = """\
deb [signed-by=/usr/share/keyrings/database.gpg] https://db.example/apt bookworm main
deb https://containers.example/linux/debian bookworm stable
deb https://packages.example/apt sdk-bookworm main
"""


def test_deb822_stanzas_become_entries_without_what_is_disabled_or_source_only() -> None:
    found = aptsources.parse_deb822(DEB822)
    assert found == [
        Source(
            ('http://mirror.example/debian',),
            ('bookworm', 'bookworm-updates', 'bookworm-backports'),
            ('main', 'contrib'),
            (('Signed-By', '/usr/share/keyrings/debian-archive-keyring.gpg'),),
        ),
        Source(
            ('http://mirror.example/debian-security',),
            ('bookworm-security',),
            ('main',),
            (('Check-Valid-Until', 'no'),),
        ),
    ]


def test_one_line_entries_keep_their_options() -> None:
    found = aptsources.parse_list(ONE_LINE)
    assert [(s.uris[0], s.suites, s.components) for s in found] == [
        ('http://mirror.example/debian', ('bookworm',), ('main', 'contrib')),
        ('http://mirror.example/debian-security', ('bookworm-security',), ('main',)),
        ('http://flat.example/repo', ('./',), ()),
    ]
    assert dict(found[0].options) == {
        'Architectures': 'amd64',
        'Signed-By': '/k/debian.gpg',
        'Check-Valid-Until': 'no',
    }


def test_a_key_within_an_entry_stays_whole() -> None:
    text = 'Types: deb\nURIs: http://m.example\nSuites: bookworm\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n'
    (found,) = aptsources.parse_deb822(text)
    assert dict(found.options)['Signed-By'] == '\n -----BEGIN\n .\n abc'
    assert aptsources.parse_deb822(aptsources.render([found])) == [found]
    assert aptsources.keyrings([found]) == []


@pytest.mark.parametrize(('base', 'release'), [(BOOKWORM, 'bookworm'), (TRIXIE, 'trixie')])
def test_a_debian_host_has_every_debian_release(base: charm.Base, release: str) -> None:
    moved = aptsources.for_base(aptsources.parse_deb822(DEB822), base)
    assert [s.suites for s in moved] == [(release, f'{release}-updates'), (f'{release}-security',)]


def test_other_peoples_archives_do_not_come_along() -> None:
    ours = aptsources.parse_list(ONE_LINE)
    assert aptsources.for_base(
        ours + aptsources.parse_list(OTHERS), BOOKWORM
    ) == aptsources.for_base(ours, BOOKWORM)


def test_a_debian_host_has_no_ubuntu() -> None:
    assert aptsources.for_base(aptsources.parse_deb822(DEB822), NOBLE) == []


def test_an_ubuntu_archive_beside_it_serves_ubuntu_alone() -> None:
    line = 'deb http://u.example/ubuntu jammy main universe\n'
    both = aptsources.parse_deb822(DEB822) + aptsources.parse_list(line)
    assert [s.suites for s in aptsources.for_base(both, NOBLE)] == [('noble',)]
    assert all('u.example' not in s.uris[0] for s in aptsources.for_base(both, TRIXIE))


def test_security_alone_makes_no_base() -> None:
    only = [s for s in aptsources.parse_deb822(DEB822) if 'security' in s.uris[0]]
    assert aptsources.for_base(only, BOOKWORM) == []


def test_options_that_matter_in_a_machine_are_kept_and_a_proxy_comes_from_the_environment() -> (
    None
):
    dump = (
        'APT::Architecture "amd64";\nAcquire::Check-Valid-Until "false";\nAcquire::http "";\n'
        'Acquire::https::Verify-Peer "true";\nDPkg::Post-Invoke:: "rm -rf /";\n'
    )
    said = aptsources.options(dump, [('http_proxy', 'http://p.example:3128'), ('HOME', '/root')])
    assert said == [
        'Acquire::Check-Valid-Until "false";',
        'Acquire::https::Verify-Peer "true";',
        'Acquire::http::Proxy "http://p.example:3128";',
    ]
    own = 'Acquire::http::Proxy "http://own.example";'
    assert aptsources.options(own, [('http_proxy', 'http://p.example')]) == [own]


def test_a_password_in_an_address_is_not_shown() -> None:
    assert (
        aptsources.without_password('https://me:pw@m.example/debian') == 'https://m.example/debian'
    )
    assert aptsources.without_password('http://m.example/a@b') == 'http://m.example/a@b'


words = st.text('abcdefghij-/.:', min_size=1, max_size=12).filter(lambda w: not w.startswith('#'))
sources = st.builds(
    Source,
    st.lists(words, min_size=1, max_size=2).map(tuple),
    st.lists(words, min_size=1, max_size=3).map(tuple),
    st.lists(words, max_size=3).map(tuple),
    st.just((('Signed-By', '/k/a.gpg'),)),
)


@given(st.lists(sources, max_size=4))
def test_what_is_rendered_is_read_back(given_sources: list[Source]) -> None:
    assert aptsources.parse_deb822(aptsources.render(given_sources)) == given_sources


@given(st.text())
def test_no_text_breaks_the_parsers(text: str) -> None:
    aptsources.parse_list(text)
    aptsources.parse_deb822(text)
