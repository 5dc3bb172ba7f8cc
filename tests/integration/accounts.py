"""What MariaDB asks of services' accounts."""

from __future__ import annotations

import jubilant


def accounts_with_tls(juju: jubilant.Juju, *services: str) -> dict[str, str]:
    """Whether all of a service's accounts on the database, one for each unit, need TLS (1)."""
    names = ', '.join(f"'{name}'" for name in services)
    query = (
        "SELECT User, IFNULL(JSON_VALUE(Priv, '$.ssl_type'), 0) FROM mysql.global_priv "  # noqa: S608 -- ours
        f'WHERE User IN ({names})'
    )
    rows = juju.exec(f'mariadb --batch --skip-column-names -e "{query}"', unit='mysql/0').stdout
    each = [line.split() for line in rows.splitlines()]
    return {user: min(needs for name, needs in each if name == user) for user, _ in each}
