"""Caches of several units that agree: nobody finds what was kept before something that has been written."""

from __future__ import annotations

import contextlib
import pathlib
import random
import sys
import threading
import types
from collections.abc import Callable, Generator
from typing import Any

import dogpile.cache
import identity
import pytest
import shared_regions
from dogpile.cache import region, util

Read = Callable[[], shared_regions.NewIds]
Write = Callable[[shared_regions.NewIds], None]
MakeIds = Callable[[Read, Write], shared_regions.Ids]
REGION = 'tokens'


class Cloud:
    """A database with one value in it, and two units with two processes each, that cache the value."""

    def __init__(self, make: MakeIds):
        self.rows = shared_regions.fresh([REGION])
        self.value = 0
        self.answered = 0
        """The newest value whose writer has been answered."""
        self.caches: tuple[dict[bytes, int], ...] = ({}, {})
        self.processes = [make(lambda: dict(self.rows), self.rows.update) for _ in range(4)]
        self.old: list[tuple[int, int]] = []
        self.hits = 0

    def reader(self, process: int) -> Generator[None]:
        """A request that reads; it may be held up wherever it yields."""
        ids, cache = self.processes[process], self.caches[process // 2]
        at_least = self.answered
        with ids.request():
            yield
            found = self._found(ids, cache)
            yield
            if found is None:
                found = self.value
                yield
                cache[self._id(ids)] = found
            else:
                self.hits += 1
            if found < at_least:
                self.old.append((found, at_least))
            yield

    def writer(self, process: int) -> Generator[None]:
        """A request that writes, and reads before and after."""
        ids, cache = self.processes[process], self.caches[process // 2]
        with ids.request():
            self._found(ids, cache)
            yield
            self.value += 1
            mine = self.value
            yield
            ids.renew(REGION)
            yield
            found = self._found(ids, cache)
            if found is None:
                found = self.value
                yield
                cache[self._id(ids)] = found
            if found < mine:
                self.old.append((found, mine))
            yield
        self.answered = max(self.answered, mine)

    def _found(self, ids: shared_regions.Ids, cache: dict[bytes, int]) -> int | None:
        return cache.get(self._id(ids))

    def _id(self, ids: shared_regions.Ids) -> bytes:
        found = ids.get(REGION)
        assert found is not None
        return found


def run(make: MakeIds, seed: int) -> Cloud:
    """Requests of all four processes at once, in an order that the seed says."""
    chance, cloud = random.Random(seed), Cloud(make)  # noqa: S311
    busy: dict[int, Generator[None]] = {}
    for _ in range(400):
        process = chance.randrange(4)
        if process not in busy:
            kind = cloud.writer if chance.random() < 0.3 else cloud.reader
            busy[process] = kind(process)
        with contextlib.suppress(StopIteration):
            next(busy[process])
            continue
        del busy[process]
    return cloud


def test_nobody_finds_what_is_older_than_what_was_answered():
    clouds = [run(shared_regions.Ids, seed) for seed in range(200)]
    assert [c.old for c in clouds if c.old] == []
    assert sum(c.hits for c in clouds) > 1000, 'and they do cache'


class _Forgets(shared_regions.Ids):
    """Does not give others the ids that it has renewed: as each unit for itself."""

    @contextlib.contextmanager
    def request(self) -> Generator[None]:
        with super().request():
            yield
            self._thread.renewed = {}


class _WritesThoseItUsed(shared_regions.Ids):
    """Gives others the ids under which it has kept something itself."""

    @contextlib.contextmanager
    def request(self) -> Generator[None]:
        with super().request():
            yield
            renewed, self._thread.renewed = self._thread.renewed, {}
            self._write(renewed)


class _LooksThemUpEachTime(shared_regions.Ids):
    """Keeps what it has computed under an id that may be newer than that."""

    def get(self, name: str) -> bytes | None:
        if self._thread.renewed:
            return super().get(name)
        return self._read()[name]


@pytest.mark.parametrize('make', [_Forgets, _WritesThoseItUsed, _LooksThemUpEachTime])
def test_and_the_same_would_be_noticed_of_other_ids(make: MakeIds):
    assert any(run(make, seed).old for seed in range(200))


def counted(rows: dict[str, bytes]) -> tuple[shared_regions.Ids, list[str]]:
    """Ids of *rows*, and what was done to them."""
    done: list[str] = []

    def read() -> shared_regions.NewIds:
        done.append('read')
        return dict(rows)

    def write(ids: shared_regions.NewIds) -> None:
        done.append(f'write {" ".join(ids)}')
        rows.update(ids)

    return shared_regions.Ids(read, write), done


def test_a_request_looks_once_and_writes_once_and_only_what_it_must():
    rows = shared_regions.fresh('abc')
    ids, done = counted(rows)
    with ids.request():
        assert ids.get('a') == rows['a']
        assert ids.get('b') == rows['b']
    assert done == ['read']
    with ids.request():
        pass
    assert done == ['read'], 'who wants none is not made to wait'
    before = dict(rows)
    with ids.request():
        ids.renew('c')
        ids.renew('a')
        ids.renew('c')
        assert rows == before, 'others see it when it is done'
        own = ids.get('a')
        assert own not in {None, *before.values()}
        assert ids.get('a') == own
        assert ids.get('b') == before['b']
    assert done == ['read', 'read', 'write a c']
    assert rows['b'] == before['b']
    assert not {rows['a'], rows['c']} & {own, *before.values()}


def test_a_request_that_fails_has_written_all_the_same():
    rows = shared_regions.fresh('a')
    before = dict(rows)
    ids, _ = counted(rows)

    def fail() -> None:
        with ids.request():
            ids.renew('a')
            raise ValueError

    with pytest.raises(ValueError):
        fail()
    assert rows != before
    with ids.request():
        assert ids.get('a') == rows['a'], 'and what it knew is forgotten'


def test_outside_of_a_request_nothing_is_remembered():
    rows = shared_regions.fresh('a')
    ids, done = counted(rows)
    first = ids.get('a')
    ids.renew('a')
    assert ids.get('a') == rows['a'] != first
    assert done == ['read', 'write a', 'read']


def test_threads_do_not_see_one_anothers_requests():
    rows = shared_regions.fresh('a')
    ids, _ = counted(rows)
    seen: list[bytes | None] = []
    with ids.request():
        before = ids.get('a')
        ids.renew('a')
        thread = threading.Thread(target=lambda: seen.append(ids.get('a')))
        thread.start()
        thread.join()
    assert seen == [before]


class Unit:
    """Regions as keystone makes them: keys have the region's id in them, which is kept in a region of its own."""

    def __init__(self, read: Read, write: Write, *, coupled: bool = True):
        self.ids = shared_regions.Ids(read, write)
        self.kept = dogpile.cache.make_region(key_mangler=util.sha1_mangle_key)
        self.kept.configure('dogpile.cache.memory')
        self.regions = {name: self._region(name) for name in ('tokens', 'roles')}
        if coupled:
            shared_regions.couple(self.ids, self.regions, self.kept, 'region:')

    def _region(self, name: str) -> region.CacheRegion:
        def mangled(key: str) -> str:
            id_ = self.kept.get_or_create(f'region:{name}', lambda: b'own', expiration_time=-1)
            return util.sha1_mangle_key(f'{key}:{id_}'.encode())

        made = dogpile.cache.make_region(name=name, key_mangler=mangled)
        return made.configure('dogpile.cache.memory')

    def value(self, name: str, now: str, key: str = 'key') -> Any:
        with self.ids.request():
            return self.regions[name].get_or_create(key, lambda: now)

    def invalidate(self, name: str) -> None:
        """As keystone does it for the whole region."""
        self.kept.set(f'region:{name}', b'another')


@pytest.fixture
def rows() -> dict[str, bytes]:
    return shared_regions.fresh(['tokens', 'roles'])


@pytest.fixture
def units(rows: dict[str, bytes]) -> tuple[Unit, Unit]:
    one, other = (Unit(lambda: dict(rows), rows.update) for _ in range(2))
    return one, other


CHANGES: dict[str, Callable[[Unit], None]] = {
    'a key': lambda u: u.regions['tokens'].delete('key'),
    'keys': lambda u: u.regions['tokens'].delete_multi(['key']),
    'all': lambda u: u.invalidate('tokens'),
}


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
def test_what_one_unit_invalidates_no_unit_finds(
    units: tuple[Unit, Unit], change: Callable[[Unit], None]
):
    a, b = units
    for unit in units:
        assert unit.value('tokens', 'old') == unit.value('tokens', 'not computed') == 'old'
        assert unit.value('roles', 'other') == 'other'
    with a.ids.request():
        change(a)
        assert a.regions['tokens'].get_or_create('key', lambda: 'new') == 'new'
    assert b.value('tokens', 'new') == a.value('tokens', 'new') == 'new'
    assert b.value('tokens', 'newer') == 'new', 'it caches again'
    assert a.value('roles', 'changed') == b.value('roles', 'changed') == 'other'


def test_what_else_is_kept_beside_the_ids_is_as_it_was(units: tuple[Unit, Unit]):
    a, b = units
    a.kept.set('else', 'value')
    assert a.kept.get('else') == 'value'
    assert not b.kept.get('else')


def test_what_is_kept_anew_is_nothing_to_tell(units: tuple[Unit, Unit], rows: dict[str, bytes]):
    before = dict(rows)
    a, b = units
    b.value('tokens', 'old')
    with a.ids.request():
        a.regions['tokens'].set('key', 'issued')
        a.regions['tokens'].set_multi({'other': 'issued'})
    assert a.value('tokens', 'computed') == 'issued'
    assert a.value('tokens', 'computed', 'other') == 'issued'
    assert rows == before


@pytest.mark.parametrize('change', CHANGES.values(), ids=CHANGES)
def test_without_a_database_each_unit_caches_for_itself(change: Callable[[Unit], None]):
    def nobody(ids: shared_regions.NewIds) -> None:
        del ids

    a, b = Unit(dict, nobody), Unit(dict, nobody)
    for unit in (a, b):
        assert unit.value('tokens', 'old') == unit.value('tokens', 'not computed') == 'old'
    change(a)
    assert a.value('tokens', 'new') == 'new'
    assert b.value('tokens', 'new') == 'old', 'until it expires'


class ClosedError(Exception):
    """The connection has gone."""


class NoTableError(Exception):
    """What PyMySQL calls a ProgrammingError."""


class Server:
    """As much of MariaDB, and of SQLAlchemy before it, as :class:`shared_regions.Database` uses."""

    def __init__(self):
        self.rows: dict[str, bytes] | None = None
        self.failures: list[Exception] = []
        """Of the next statements, the next one last."""
        self.said: list[str] = []
        self.open = self.invalidated = 0
        self.closed = 0
        """How many of the pool's idle connections the server has closed."""
        self.asked: dict[str, Any] = {}

    def create_engine(self, url: str, **options: Any) -> Server:
        self.asked = {'url': url, **options}
        return self

    @property
    def dialect(self) -> Any:
        dbapi = types.SimpleNamespace(ProgrammingError=NoTableError)
        return types.SimpleNamespace(dbapi=dbapi)

    def raw_connection(self) -> Connection:
        self.open += 1
        if self.closed:
            self.closed -= 1
            self.failures.append(ClosedError())
        return Connection(self)

    def dispose(self) -> None:
        self.closed = 0


class Connection:
    """One of its connections, and its cursor."""

    def __init__(self, server: Server):
        self.server = server
        self.found: list[tuple[str, bytes]] = []

    def cursor(self) -> Connection:
        return self

    def execute(self, statement: str) -> None:
        self._say(statement)
        if statement.startswith('CREATE'):
            self.server.rows = self.server.rows or {}
        elif self.server.rows is None:
            raise NoTableError
        else:
            self.found = list(self.server.rows.items())

    def executemany(self, statement: str, values: list[dict[str, Any]]) -> None:
        self._say(statement)
        assert self.server.rows is not None
        for row in values:
            if 'IGNORE' in statement:
                self.server.rows.setdefault(row['name'], row['id'])
            else:
                self.server.rows[row['name']] = row['id']

    def fetchall(self) -> list[tuple[str, bytes]]:
        return self.found

    def invalidate(self) -> None:
        self.server.invalidated += 1
        self.server.open -= 1

    def close(self) -> None:
        self.server.open -= 1

    def _say(self, statement: str) -> None:
        self.server.said.append(statement.split()[0])
        if self.server.failures:
            raise self.server.failures.pop()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()
    monkeypatch.setitem(sys.modules, 'sqlalchemy', server)
    return server


@pytest.fixture
def database(server: Server) -> shared_regions.Database:
    return shared_regions.Database('mysql+pymysql://…', ['tokens', 'roles'])


def test_the_first_process_makes_the_table_and_all_have_the_same_ids(server: Server):
    one, other = (shared_regions.Database('…', ['tokens', 'roles']) for _ in range(2))
    first = one.read()
    assert first.keys() == {'tokens', 'roles'}
    assert len({*first.values()}) == 2
    assert server.said == ['SELECT', 'CREATE', 'INSERT', 'SELECT']
    server.said.clear()
    assert other.read() == first
    one.write({'tokens': b'renewed'})
    assert other.read() == one.read() == {**first, 'tokens': b'renewed'}
    assert server.said == ['SELECT', 'INSERT', 'SELECT', 'SELECT']
    assert server.open == 0


def test_regions_of_a_newer_keystone_get_ids_beside_those_that_are_there(server: Server):
    first = shared_regions.Database('…', ['tokens']).read()
    assert shared_regions.Database('…', ['tokens', 'roles']).read().keys() == {'tokens', 'roles'}
    assert shared_regions.Database('…', ['tokens']).read()['tokens'] == first['tokens']


def test_a_statement_is_committed_at_once_and_has_a_limit_of_time(
    server: Server, database: shared_regions.Database
):
    del database
    limits = {'connect_timeout': 5, 'read_timeout': 5, 'write_timeout': 5}
    assert server.asked == {
        'url': 'mysql+pymysql://…',
        'connect_args': {'autocommit': True, **limits},
        'pool_reset_on_return': None,
        'pool_recycle': 300,
        'pool_size': 4,
        'max_overflow': 64,
        'pool_timeout': 5,
    }


def test_a_database_that_was_restarted_has_closed_all_that_were_idle(
    server: Server, database: shared_regions.Database, caplog: pytest.LogCaptureFixture
):
    known = database.read()
    server.closed = 4
    assert database.read() == known
    assert not caplog.messages


@pytest.mark.parametrize('times', [1, 2])
def test_connections_that_were_closed_are_made_anew(
    server: Server,
    database: shared_regions.Database,
    times: int,
    caplog: pytest.LogCaptureFixture,
):
    known = database.read()
    before = server.invalidated
    server.failures = [ClosedError()] * times
    assert database.read() == known
    server.failures = [ClosedError()] * times
    database.write({'roles': b'renewed'})
    assert database.read()['roles'] == b'renewed'
    assert (server.open, server.invalidated - before) == (0, 2 * times)
    assert not caplog.messages


def test_without_the_database_there_are_no_ids_and_it_is_said_once(
    server: Server, database: shared_regions.Database, caplog: pytest.LogCaptureFixture
):
    said = 'caches are not coherent with those of other units: ClosedError'
    for _ in range(2):
        caplog.clear()
        server.failures = [ClosedError('the password is s3cret')] * 9
        assert database.read() == {}
        database.write({'roles': b'renewed'})
        assert database.read() == {}
        assert caplog.messages == [said]
        assert database.read()['roles'] != b'renewed'
        assert caplog.messages == [said], 'and again only after it has worked'


SERVED = """
import sys
assert __name__ not in ('__main__', 'keystone'), 'or it would serve by itself, or not find keystone'
def application(environ, start_response):
    start_response('200 OK', [])
    return [sys.modules['keystone.common.cache.core'].served(environ)]
"""


class Strategy(region.DefaultInvalidationStrategy):
    """Which regions are keystone's own."""


class Core(types.ModuleType):
    """As much of ``keystone.common.cache.core`` as is used."""

    DistributedInvalidationStrategy = Strategy
    RegionInvalidationManager = types.SimpleNamespace(REGION_KEY_PREFIX='region:')

    def __init__(self, served: Callable[[Any], bytes] = lambda _: b''):
        super().__init__('keystone.common.cache.core')
        unit = Unit(dict, lambda _: None, coupled=False)
        self.served = served
        self.regions, self.CACHE_INVALIDATION_REGION = unit.regions, unit.kept
        self.CACHE_REGION = unit.regions['roles']
        for each in self.regions.values():
            each.region_invalidator = Strategy()
        database = types.SimpleNamespace(connection='mysql+pymysql://…')
        self.CONF = types.SimpleNamespace(database=database)


class Users:
    """As much of keystone's manager of users as is used: what it has read of a user it keeps."""

    def __init__(self, kept: region.CacheRegion):
        self.kept, self.expires = kept, {'me': 1, 'other': 1}

    def get_user(self, user_id: str) -> int:
        return self.kept.get_or_create(user_id, lambda: self.expires[user_id])

    def change_password(self, user_id: str, password: str) -> None:
        if password == 'wrong':
            raise AssertionError
        self.expires[user_id] += 1


def _invalidate(users: Users, user_id: str) -> None:
    users.kept.delete(user_id)


vars(Users.get_user)['invalidate'] = _invalidate


@pytest.fixture
def manager() -> Generator[type[Users]]:
    before = Users.change_password
    yield Users
    Users.change_password = before


def test_a_user_who_has_changed_a_password_is_read_anew_at_every_unit(
    units: tuple[Unit, Unit], manager: type[Users]
):
    here, there = (manager(unit.regions['roles']) for unit in units)
    there.expires = here.expires

    def seen() -> list[int]:
        found: list[int] = []
        for unit, users in zip(units, (here, there), strict=True):
            with unit.ids.request():
                found.append(users.get_user('me'))
        return found

    def change(password: str) -> None:
        with units[0].ids.request():
            here.change_password(user_id='me', password=password)

    assert seen() == [1, 1]
    change('plain')
    assert seen() == [1, 1], 'as keystone has it'
    shared_regions.forget_changed(manager)
    change('another')
    assert seen() == [3, 3]
    here.expires['me'] += 1
    with pytest.raises(AssertionError):
        change('wrong')
    assert seen() == [3, 3], 'who guesses empties no cache'


def loaded(monkeypatch: pytest.MonkeyPatch, core: types.ModuleType, folder: pathlib.Path) -> Any:
    """What the script serves in the place of the package's."""
    for name in ('keystone', 'keystone.common', 'keystone.common.cache', 'keystone.identity'):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setattr(sys.modules['keystone.common.cache'], 'core', core, raising=False)
    monkeypatch.setitem(sys.modules, 'keystone.common.cache.core', core)
    users = types.SimpleNamespace(Manager=type('Manager', (Users,), {}))
    monkeypatch.setattr(sys.modules['keystone.identity'], 'core', users, raising=False)
    (folder / 'packaged').write_text(SERVED)
    return shared_regions.serving(str(folder / 'packaged'))


def test_each_request_is_one(
    monkeypatch: pytest.MonkeyPatch, server: Server, tmp_path: pathlib.Path
):
    def served(environ: Any) -> bytes:
        assert environ == {'REQUEST_METHOD': 'DELETE'}
        for key in ('one', 'other'):
            core.regions['tokens'].get_or_create(key, lambda: 'value')
            core.regions['tokens'].delete(key)
        return b'deleted'

    core = Core(served)
    not_keystones = dogpile.cache.make_region(name='another').configure('dogpile.cache.memory')
    application = loaded(monkeypatch, core, tmp_path)
    started: list[str] = []

    def start(status: str, fields: Any) -> None:
        started.append(status)

    assert application({'REQUEST_METHOD': 'DELETE'}, start) == [b'deleted']
    assert started == ['200 OK']
    assert server.asked['url'] == 'mysql+pymysql://…'
    assert server.rows is not None
    assert server.rows.keys() == {'tokens', 'roles'}
    before = dict(server.rows)
    server.said.clear()
    application({'REQUEST_METHOD': 'DELETE'}, start)
    assert server.said == ['SELECT', 'INSERT']
    assert server.rows['tokens'] != before['tokens']
    assert server.rows['roles'] == before['roles']
    not_keystones.delete('key')
    assert server.said == ['SELECT', 'INSERT']


def test_a_keystone_that_caches_in_another_way_serves_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, caplog: pytest.LogCaptureFixture
):
    core = types.ModuleType('keystone.common.cache.core')
    vars(core)['served'] = bytes
    assert loaded(monkeypatch, core, tmp_path)({}, print) == [b'']
    assert caplog.messages == ['caches are not coherent with those of other units']


def test_apache_reads_it_and_its_processes_are_renewed_with_it():
    script = identity.script()
    assert script.path == identity.SCRIPT
    assert script.content == pathlib.Path(shared_regions.__file__).read_text()
    assert script.mode & 0o444 == 0o444
    assert script.notify == ('wsgi:keystone',)
