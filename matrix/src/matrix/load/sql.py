"""A load on a database: registers, counters, sets, lists and banks in one table, which it makes and drops again.

What is asked `asking.py` decides, in which statements `statements.py`; here it is carried out.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import itertools
from collections.abc import Awaitable, Callable, Mapping, Sequence

from matrix.grammar import located
from matrix.juju import link
from matrix.load import (
    accounts,
    asking,
    database,
    load,
    made_account,
    places,
    sqlspec,
    statements,
)

PATIENCE_S = 30.0
"""Seconds until the database must have taken the table, and every address must show it."""

_PAUSE_S = 0.5
_FOR_GOOD = frozenset({1044, 1045, 1049, 1050, 1142, 1227, 1698, 3159})
"""Errors that waiting does not mend: no account, no right, no such database, the table of another."""


@dataclasses.dataclass
class Sql:
    """One database; `run` is of this load alone: it names the table, and its end the keys."""

    said: sqlspec.Sql
    link: link.Link
    run: str
    patience: float = PATIENCE_S

    def __post_init__(self) -> None:
        self._table = statements.table(self.run)
        # Keys of this load alone: another of the same run has another table, and its history is another's.
        self._things = {
            kind: asking.Thing(f'{kind}-{self.run[-6:]}', kind) for kind in self.said.things
        }
        self._turns = itertools.count()
        self._database: database.Database | None = None
        self._made: places.Address | None = None
        self._password = ''
        self._unit = ''  # on which the account was made
        self.left: list[load.Left] = []

    @property
    def sentence(self) -> str:
        """What it does, for people."""
        many = [f'a {kind}' if kind == 'bank' else f'{kind}s' for kind in self.said.things]
        return f'transactions of SQL on {", ".join(many)}'

    @property
    def secrets(self) -> frozenset[str]:
        """The account's password."""
        return frozenset({self._password} - {''})

    @property
    def writes(self) -> tuple[tuple[str, str], ...]:
        """None: histories say more."""
        return ()

    @property
    def models(self) -> dict[str, located.Plain]:
        """The things, and the kinds of operation that are done to each."""
        return {
            kind: thing.model({does: f'{kind}.{does}' for does in thing.does})
            for kind, thing in self._things.items()
        }

    def last_reads(self) -> list[tuple[str, located.Plain]]:
        """Every key that was changed, with the kind that reads it."""
        things = self._things.items()
        return [(f'{kind}.read', one) for kind, thing in things for one in thing.last_reads()]

    async def prepare(self) -> Sequence[load.Kind]:
        """Log in and make the table.

        Raises:
            link.LinkError: there is no account, or nobody answers at some address.
            load.Refused: the database does not let the account make a table.
        """
        try:
            login = await self._login()
            self._password = login.password
            self._database = database.Database(self.said.database or self._table, login)
        except (accounts.AccountError, database.ServerError) as error:
            raise link.LinkError(str(error)) from error
        writing = self._addresses(self.said.at)
        await self._make(self._database, writing)
        for one in dict.fromkeys((*writing, *self._addresses(self.said.read_at))):
            await self._shown(self._database, one)
        return [self._kind(thing, does) for thing in self._things.values() for does in thing.does]

    async def close(self) -> None:
        """Drop the table, if this load made it; or the database and its account. What stays is added to `left`."""
        try:
            if self._unit:
                await self._remove_account()
            elif self._database is not None and self._made is not None:
                await self._drop(self._database, self._made)
        finally:
            if self._database is not None:
                await self._database.close()

    async def _remove_account(self) -> None:
        try:
            await made_account.remove(self._unit, self.link, self._table)
        except (accounts.AccountError, link.LinkError) as error:
            for what in ('database', 'user'):
                self.left.append(load.Left(what, self._table, self._unit, str(error)))

    async def _drop(self, at: database.Database, made: places.Address) -> None:
        why = ''
        others: Sequence[places.Address] = ()
        with contextlib.suppress(load.Refused):  # Units that are gone.
            others = self._addresses(self.said.at)
        for one in dict.fromkeys((made, *others)):
            try:
                await at.execute(one, statements.drop(self._table))
                return
            except database.ServerError as error:
                why = why or str(error)
        name = f'{self.said.database}.{self._table}'
        self.left.append(load.Left('table', name, str(made), why))

    async def _login(self) -> accounts.Login:
        account = self.said.account
        if not account.made:
            return await accounts.find(account, self.link)
        self._unit = made_account.unit_of(account.unit, self.link)
        try:
            return await made_account.make(self._unit, self.link, self._table)
        except made_account.NothingMadeError:
            self._unit = ''
            raise

    def _kind(self, thing: asking.Thing, does: str) -> load.Kind:
        async def do(asked: located.Plain) -> load.Result:
            return await self._do(thing, does, asked if isinstance(asked, dict) else {})

        name = f'{thing.kind}.{does}'
        # What is past its time the transaction itself says, and then whether COMMIT was sent.
        limit = self.said.timeout + 2 * database.QUIT_S
        return load.Kind(
            name,
            do,
            lambda: thing.asked(does),
            timeout=limit,
            beside=lambda asked: _named(thing.kind, thing.beside(does, asked)),
        )

    async def _do(
        self, thing: asking.Thing, does: str, asked: Mapping[str, located.Plain]
    ) -> load.Result:
        if self._database is None:
            raise RuntimeError('not prepared')
        some = self.said.read_at if does == 'read' and self.said.read_at else self.said.at
        addresses = self._addresses(some)
        at = addresses[next(self._turns) % len(addresses)]
        transaction = statements.transaction(thing.kind, does, self._table, asked)
        results = await self._database.transact(at, transaction, within=self.said.timeout)
        value = statements.value(thing.kind, does, results)
        thing.learn(does, asked, value)
        return load.Result(value, f'mysql://{at}')

    def _addresses(self, some: Sequence[str]) -> list[places.Address]:
        """Where the database is now.

        Raises:
            load.Refused: units that are named are not there.
        """
        model = self.link.now()
        found = [one for text in some for one in places.addresses(text, model, sqlspec.PORT)]
        if some and not found:
            raise load.Refused(f'no address of {", ".join(some)}')
        return found

    async def _make(self, at: database.Database, writing: Sequence[places.Address]) -> None:
        """Make the table at the first address that takes it, and fill it."""
        turns = itertools.cycle(writing)

        async def make() -> None:
            # Before it is known: its name is this run's own, and it is dropped whatever the answer was.
            before, self._made = self._made, next(turns)
            try:
                await at.execute(self._made, statements.create(self._table))
            except database.ServerError as error:
                if error.code == statements.TABLE_THERE and before is not None:
                    return  # One of ours that was not answered had made it.
                if error.code in _FOR_GOOD:
                    self._made = before
                raise

        async def fill() -> None:
            for one in self._first():
                try:
                    await at.execute(next(turns), one)
                except database.ServerError as error:
                    if error.code != statements.DUPLICATE_KEY:
                        raise

        await self._until(make, 'takes no table')
        await self._until(fill, 'takes no accounts')

    def _first(self) -> tuple[statements.Statement, ...]:
        bank = self._things.get('bank')
        return () if bank is None else (statements.fill(self._table, bank.prefix),)

    async def _shown(self, at: database.Database, one: places.Address) -> None:
        """Wait until an address shows the table, and what it has at first: a replica may be late."""
        wanted = len(asking.ACCOUNTS) if 'bank' in self.said.things else 0

        async def show() -> None:
            rows = await at.execute(one, statements.look(self._table))
            if rows != ((wanted,),):
                raise database.ServerError(0, f'{one}: it has not all that was written')

        await self._until(show, 'does not show the table')

    async def _until(self, do: Callable[[], Awaitable[object]], what: str) -> None:
        loop = asyncio.get_running_loop()
        ends = loop.time() + self.patience
        while True:
            try:
                await do()
                return
            except database.ServerError as error:
                said = f'the database {what}: {error}'
                if error.code in _FOR_GOOD:
                    raise load.Refused(said) from error
                if isinstance(error, database.DriverError):
                    raise link.LinkError(said) from None
                if loop.time() >= ends:
                    raise link.LinkError(said) from error
            await asyncio.sleep(_PAUSE_S)


def _named(kind: str, found: tuple[str, located.Plain] | None) -> tuple[str, located.Plain] | None:
    return None if found is None else (f'{kind}.{found[0]}', found[1])
