"""Serves keystone with caches that agree: the script that Apache runs on a unit, in keystone's own Python.

Keystone caches in *regions* (dogpile.cache), and puts a region's id into each key: with another id, all that the
region had is out of reach. It keeps these ids in the cache itself, so each unit has its own, and hears nothing of what
another one writes. Here they are rows of keystone's database, which the units share, and which has them in one order
with what is written: a request looks them up once, before it uses any cached value, and gives the regions that it has
written to other ids before it is answered. The values stay in each unit's own memcached.

What a request computes it keeps under the ids that it has looked up, and nobody finds it once they are others. So a
value that was read before a change and is kept after it cannot be found either.

Where the database does not say, ids are those of the unit's own cache, as without all this: what another unit has
changed is old until it expires (``CHANGES_S`` of the module cache). Why not otherwise: ADR 18 of the charms.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what keystone's package brings.
from __future__ import annotations

import contextlib
import functools
import gc
import logging
import runpy
import secrets
import threading
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

SCRIPT = '/usr/bin/keystone-wsgi-public'
"""What keystone's package has for Apache."""
_MAKE = """CREATE TABLE IF NOT EXISTS charm_cache_regions (
    name VARCHAR(64) NOT NULL PRIMARY KEY, id VARBINARY(16) NOT NULL) ENGINE=InnoDB"""
_READ = 'SELECT name, id FROM charm_cache_regions'
_FIRST = 'INSERT IGNORE INTO charm_cache_regions (name, id) VALUES (%(name)s, %(id)s)'
_RENEW = """INSERT INTO charm_cache_regions (name, id) VALUES (%(name)s, %(id)s)
    ON DUPLICATE KEY UPDATE id = VALUES(id)"""
_TIMEOUT_S = 5
_TRIES = 3
_LOG = logging.getLogger('keystone.shared_regions')

NewIds = Mapping[str, bytes]


def fresh(names: Iterable[str]) -> dict[str, bytes]:
    """An id that nothing was kept under, for each region."""
    return {name: secrets.token_bytes(10) for name in sorted(names)}


class Ids:
    """Ids of regions, as the request of this thread sees them.

    *read* gives the ids that all units have in common, without those that cannot be told; *write* sets some.
    """

    def __init__(self, read: Callable[[], NewIds], write: Callable[[NewIds], None]):
        self._read, self._write = read, write
        self._thread = threading.local()

    @contextlib.contextmanager
    def request(self) -> Generator[None]:
        """One request: ids are looked up once, and those that it renews are others for all when it ends."""
        vars(self._thread).update(known=None, renewed={})
        try:
            yield
        finally:
            renewed = self._thread.renewed
            vars(self._thread).clear()
            if renewed:
                # Not those that it has used itself: under them may be what is older than another unit's change.
                self._write(fresh(renewed))

    def get(self, name: str) -> bytes | None:
        """The id of a region; None where nobody can tell."""
        now = vars(self._thread)
        if not now:
            return self._read().get(name)
        if now['known'] is None:
            now['known'] = self._read()
        return now['renewed'].get(name) or now['known'].get(name)

    def renew(self, name: str) -> None:
        """Something was written that a region may have kept: from now on it is not found there."""
        if now := vars(self._thread):
            now['renewed'] |= fresh([name])
        else:
            self._write(fresh([name]))


class Database:
    """Ids in the database that keystone uses, beside its own tables. Raises nothing: what fails is logged."""

    def __init__(self, url: str, names: Iterable[str]):
        import sqlalchemy

        limits = dict.fromkeys(('connect_timeout', 'read_timeout', 'write_timeout'), _TIMEOUT_S)
        # A statement is one round trip: no ping before it, no transaction around it.
        self._pool = sqlalchemy.create_engine(
            url, connect_args={'autocommit': True, **limits}, pool_reset_on_return=None,
            pool_recycle=300, pool_size=4, max_overflow=64, pool_timeout=_TIMEOUT_S,
        )  # fmt: skip
        self._no_table = self._pool.dialect.dbapi.ProgrammingError
        self._names = frozenset(names)
        self._failed = False

    def read(self) -> NewIds:
        """The id of each region; none when the database does not say."""
        return self._logged(self._read) or {}

    def write(self, ids: NewIds) -> None:
        """Give regions other ids, in one statement."""
        self._logged(lambda: self._run(_RENEW, ids))

    def _read(self) -> NewIds:
        try:
            known = self._select()
        except self._no_table:
            known = {}
        if missing := self._names - known.keys():
            self._run(_MAKE)
            self._run(_FIRST, fresh(missing))
            known = self._select()
        return known

    def _select(self) -> NewIds:
        return {str(name): bytes(id_) for name, id_ in self._run(_READ)}

    def _run(self, statement: str, ids: NewIds | None = None) -> list[Any]:
        for left in reversed(range(_TRIES)):
            try:
                db = self._pool.raw_connection()
                try:
                    cursor = db.cursor()
                    if ids:
                        values = [{'name': name, 'id': id_} for name, id_ in ids.items()]
                        cursor.executemany(statement, values)
                    else:
                        cursor.execute(statement)
                    found = list(cursor.fetchall())
                except Exception:
                    db.invalidate()  # The server may have closed it.
                    raise
                db.close()
                return found
            except Exception as e:
                if not left or isinstance(e, self._no_table):
                    raise
                self._pool.dispose()  # A server that was restarted has closed the others, too.
        return []

    def _logged(self, do: Callable[[], Any]) -> Any:
        try:
            found, self._failed = do(), False
        except Exception as e:
            if not self._failed:  # Once, not for each request.
                _LOG.error(
                    'caches are not coherent with those of other units: %s', type(e).__name__
                )
            self._failed = True
            return None
        return found


def couple(ids: Ids, regions: Mapping[str, Any], kept: Any, prefix: str) -> None:
    """Have keystone's *regions* take their ids from *ids*, not from the region in which they are *kept*."""
    from dogpile.cache import api, proxy, region

    names = {kept.key_mangler(prefix + name): name for name in regions}

    class Shared(proxy.ProxyBackend):
        def get(self, key):
            found = ids.get(names[key]) if key in names else None
            if found is None:
                return self.proxied.get(key)
            return api.CachedValue(found, {'ct': time.time(), 'v': region.value_version})

        def set(self, key, value):
            self.proxied.set(key, value)
            if key in names:
                ids.renew(names[key])

    class Renewing(proxy.ProxyBackend):
        """A key has the region's id in it, hashed: of one that was deleted no other unit could tell which it is."""

        def __init__(self, name):
            self.name = name

        def delete(self, key):
            self.proxied.delete(key)
            ids.renew(self.name)

        def delete_multi(self, keys):
            self.proxied.delete_multi(keys)
            ids.renew(self.name)

    kept.wrap(Shared())
    for name, each in regions.items():
        each.wrap(Renewing(name))


def forget_changed(manager: type[Any]) -> None:
    """Have keystone's *manager* of users forget a user who has changed the own password, once that is done.

    It forgets those whom an administrator changes, and not these (``Manager.change_password`` of
    ``keystone.identity.core``): when the password expires would be that of the former one until what is cached expires,
    in tokens as well.
    """
    plain = manager.change_password

    @functools.wraps(plain)
    def change_password(self, user_id, *args, **kwargs):
        found = plain(self, user_id, *args, **kwargs)
        self.get_user.invalidate(self, user_id)
        return found

    manager.change_password = change_password


def serving(script: str) -> Callable[..., Iterable[bytes]]:
    """What *script* serves, coupled. A keystone with which that cannot be done serves as it would without."""
    plain = runpy.run_path(script, run_name='packaged')['application']
    try:
        from keystone.common.cache import core

        # Those that keystone has configured: not each release has the same.
        every = [x for x in gc.get_objects() if type(x) is type(core.CACHE_REGION)]
        coupled = core.DistributedInvalidationStrategy
        regions = {r.name: r for r in every if isinstance(r.region_invalidator, coupled)}
        database = Database(core.CONF.database.connection, regions)
        ids = Ids(database.read, database.write)
        prefix = core.RegionInvalidationManager.REGION_KEY_PREFIX
        from keystone.identity import core as identity

        forget_changed(identity.Manager)
        couple(
            ids, regions, core.CACHE_INVALIDATION_REGION, prefix
        )  # Last: what it wraps stays so.
    except Exception:
        _LOG.exception('caches are not coherent with those of other units')
        return plain

    def application(environ, start_response):
        with ids.request():
            return plain(environ, start_response)

    return application


if __name__ != 'shared_regions':  # Apache, or who tries it (the charm library's trial_wsgi.py).
    application = serving(SCRIPT)
