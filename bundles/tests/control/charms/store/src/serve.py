"""The store: registers by key, on a majority of its replicas before a write is acknowledged.

GET /v/KEY                               {version, value}; version 0: there is none
PUT /v/KEY {version, value}              the higher version wins, so a write may be sent again
PUT /v/KEY {version, value, if: N}       only over version N, else 409 and what there is
GET /now                                 this replica's clock, in seconds
POST /members {units: {UNIT: ADDRESS}}   who the replicas are to be (the charm's leader)
"""

from __future__ import annotations

import asyncio
import json
import pathlib
import time

import quorum
import register
import wire

HOME = pathlib.Path('/var/lib/store')
SETTINGS = wire.Settings(pathlib.Path('/etc/store.json'))


class Replica:
    """One replica, and its way to the others."""

    def __init__(self) -> None:
        self.name = SETTINGS['name']
        self.shelf = register.Shelf(HOME / 'records')
        known = HOME / 'members'
        plain = json.loads(known.read_text()) if known.exists() else {}
        members = quorum.Members(plain.get('epoch', 0), plain.get('units', {}))
        self.proposer = quorum.Proposer(self.name, members, self.take_over)
        self.changing = asyncio.Lock()

    def take_over(self, members: quorum.Members) -> None:
        """A newer epoch: on disk first, then for every question from now on."""
        wire.keep(HOME / 'members', json.dumps(members.plain()))
        self.proposer.members = members

    async def answer(self, asked: wire.Asked) -> tuple[int, object]:
        """Any request."""
        quorum.forget_the_late()
        match asked.method, asked.path:
            case 'GET', ('now',):
                return 200, time.time()
            case 'GET', ('members',):
                return 200, self.proposer.members.plain()
            case 'POST', ('members',):
                return await self.settle(asked.body)
            case 'POST', ('replica', what):
                return self.replica(what, asked.body)
        if self.name not in self.proposer.members.units:
            return 503, {'error': f'{self.name} is no member'}
        match asked.method, asked.path:
            case 'GET', ('v', key):
                found = await self.proposer.read(key)
                return 200, {'version': found.version, 'value': found.value}
            case 'PUT', ('v', key):
                return await self.write(key, asked.body)
        return 404, {'error': 'no such thing'}

    async def write(self, key: str, body: dict) -> tuple[int, object]:
        """A write of a client's."""

        def to(now: register.Record) -> tuple[int, object]:
            if 'if' in body and now.version != body['if']:
                raise quorum.ConflictError(now)
            if body['version'] <= now.version:
                return now.version, now.value
            return body['version'], body['value']

        try:
            new = await self.proposer.change(key, to)
        except wire.NoAnswerError:
            if SETTINGS['bug'] != 'two-away' or 'if' in body:
                raise
            # The planted bug: without a majority it is to be given to the others later, and nobody ever does.
            return 200, {'version': body['version'], 'value': body['value']}
        except quorum.ConflictError as conflict:
            return 409, {'version': conflict.found.version, 'value': conflict.found.value}
        return 200, {'version': new.version, 'value': new.value}

    async def settle(self, body: dict) -> tuple[int, object]:
        """The charm's leader says who the members are to be; it says 'begin' once in the application's life."""
        async with self.changing:
            if not self.proposer.members.units:
                if not body['begin']:
                    return 503, {'error': f'{self.name} is no member yet'}
                self.take_over(quorum.Members(1, body['units']))
            return 200, (await self.proposer.settle(body['units'])).plain()

    def replica(self, what: str, body: dict) -> tuple[int, object]:
        """What another replica asks. Whoever is of another epoch is told, or listened to."""
        told = quorum.Members(body['members']['epoch'], body['members']['units'])
        if told.epoch > self.proposer.members.epoch and self.name in told.units:
            self.take_over(told)
        mine = self.proposer.members
        if told != mine:
            return 409, {'members': mine.plain()}
        answers = {
            'look': self._look,
            'prepare': self._prepare,
            'accept': self._accept,
            'join': self._join,
            'dump': self._dump,
            'absorb': self._absorb,
            'donate': self._donate,
        }
        return answers[what](body)

    def _look(self, body: dict) -> tuple[int, object]:
        return 200, {'record': self.shelf.records.get(body['key'], register.Record()).plain()}

    def _prepare(self, body: dict) -> tuple[int, object]:
        return _voted(*self.shelf.prepare(body['key'], tuple(body['ballot'])))

    def _accept(self, body: dict) -> tuple[int, object]:
        ballot = tuple(body['ballot'])
        return _voted(*self.shelf.accept(body['key'], ballot, body['version'], body['value']))

    def _join(self, body: dict) -> tuple[int, object]:
        new = quorum.Members(body['new']['epoch'], body['new']['units'])
        if new.epoch > self.proposer.members.epoch:
            self.take_over(new)
        return 200, {}

    def _dump(self, _: dict) -> tuple[int, object]:
        return 200, {'records': {key: one.plain() for key, one in self.shelf.records.items()}}

    def _absorb(self, body: dict) -> tuple[int, object]:
        taken = {key: register.record(plain) for key, plain in body['records'].items()}
        return 200, {'refused': self.shelf.absorb(taken)}

    def _donate(self, body: dict) -> tuple[int, object]:
        if SETTINGS['bug'] != 'lost-write':
            return 404, {}
        self.shelf.records = {key: register.record(p) for key, p in body['records'].items()}
        return 200, {}


def _voted(good: bool, now: register.Record) -> tuple[int, object]:
    return (200, {'record': now.plain()}) if good else (409, {'counter': now.promised[0]})


async def main() -> None:
    """Serve."""
    replica = Replica()
    async with asyncio.TaskGroup() as group:
        group.create_task(wire.serve(quorum.PORT, replica.answer))
        if SETTINGS['bug'] == 'lost-write':
            group.create_task(careless(replica))


# The planted bug. A replica that comes back starts from the copy that it makes every few seconds, believes that it has
# what the others lack, and gives them all of it. (Database clusters call it a donor, and some let any replica be it.)
async def careless(replica: Replica) -> None:
    """Keep a copy every few seconds, and hand it to the others after a start."""
    copy = HOME / 'copy'
    if copy.exists():
        records = json.loads(copy.read_text())
        replica.shelf.records = {key: register.record(plain) for key, plain in records.items()}
        for name, host in replica.proposer.members.units.items():
            if name != replica.name:
                body = {'members': replica.proposer.members.plain(), 'records': records}
                try:
                    await wire.call(host, quorum.PORT, 'POST', '/replica/donate', body, within=5.0)
                except wire.NoAnswerError as error:
                    print(f'donate: {error}', flush=True)
    while True:
        records = {key: one.plain() for key, one in replica.shelf.records.items()}
        try:
            wire.keep(copy, json.dumps(records))
        except OSError as error:
            print(f'copy: {error}', flush=True)
        await asyncio.sleep(20)


asyncio.run(main())
