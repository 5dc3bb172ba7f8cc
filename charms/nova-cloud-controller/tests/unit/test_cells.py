"""The cells' templates, filled in as nova does it: they follow the configuration of every process."""

from __future__ import annotations

import re
from urllib.parse import urlparse

import nova_cells
import pytest
from charmkit.relations import mysql, rabbitmq

DB = mysql.Database('nova', 'nova', '10.0.0.5', 'p@ss/{w}ord')


def broker(*hosts: str) -> rabbitmq.Broker:
    return rabbitmq.Broker(hosts, 'nova', 'openstack', 'p:a,s@s')


def filled(template: str, url: str) -> str:
    """*template* with what *url* has, by the rules of nova's ``CellMapping._format_url`` (26.2.2 and 31.0.0)."""
    parsed = urlparse(url)
    values = {
        'scheme': parsed.scheme,
        'hostname': parsed.hostname,
        'username': parsed.username,
        'path': parsed.path.lstrip('/'),
        'query': parsed.query,
        'password': parsed.password,
    }
    for n, netloc in enumerate(parsed.netloc.split(','), 1) if ',' in parsed.netloc else ():
        login, place = netloc.split('@', 1)
        host, port = re.split(r'(?<=\])' if place.startswith('[') else ':', place, maxsplit=1)
        values |= {f'hostname{n}': host.strip('[]'), f'port{n}': port}
        values |= dict(zip((f'username{n}', f'password{n}'), login.split(':', 1), strict=True))
    return template.format(**values)


@pytest.mark.parametrize('host', ['10.0.0.5', 'db.example.com', 'fd00::5'])
def test_cell1_has_the_database_of_the_configuration(host: str):
    db = mysql.Database('nova', 'nova', host, 'p@ss/{w}ord')
    assert filled(nova_cells.database(db), db.url) == db.url


def test_cell0_has_its_own_database_with_the_same_account():
    cell0 = mysql.Database('nova_cell0', 'nova', '10.0.0.5', 'p@ss/{w}ord')
    assert filled(nova_cells.database(DB, nova_cells.CELL0), DB.url) == cell0.url


@pytest.mark.parametrize(
    ('hosts', 'named'),
    [
        (('10.0.0.1',), ('10.0.0.1', '10.0.0.1', '10.0.0.1')),
        (('10.0.0.1', '10.0.0.2'), ('10.0.0.1', '10.0.0.2', '10.0.0.1')),
        (('a', 'b', 'c'), ('a', 'b', 'c')),
        (('a', 'b', 'c', 'd', 'e'), ('a', 'b', 'c')),
        (('fd00::1', 'fd00::2'), ('fd00::1', 'fd00::2', 'fd00::1')),
    ],
)
def test_cell1_has_the_broker_of_the_configuration_however_many_members_it_has(
    hosts: tuple[str, ...], named: tuple[str, ...]
):
    configured = nova_cells.padded(broker(*hosts))
    assert filled(nova_cells.transport(configured), configured.transport_url) == (
        broker(*named).transport_url
    )
    assert set(configured.hosts) == set(hosts)


def test_one_template_serves_a_broker_that_grows_or_shrinks():
    """What is mapped once needs no command, and no process finds a place in it that it cannot fill."""
    templates = {
        nova_cells.transport(broker(*hosts)) for hosts in (('a',), ('b', 'c'), ('d',) * 5)
    }
    assert len(templates) == 1


def test_no_secret_is_on_the_command_line():
    said = ' '.join(nova_cells.arguments(broker('10.0.0.1'), DB))
    assert 'p@ss' not in said and 'p%40ss' not in said and 'p%3Aa' not in said


def test_a_url_without_padding_could_not_be_filled_in():
    """The sabotaged twin: one member alone is not numbered."""
    with pytest.raises(KeyError):
        filled(nova_cells.transport(broker('a')), broker('a').transport_url)
