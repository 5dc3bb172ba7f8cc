"""Asks what a bundle's probes ask, again and again, and writes each sample down."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any, cast

import aiohttp

from matrix import programs
from matrix.grammar import located, surroundings
from matrix.history import journal, notes
from matrix.judge import probes
from matrix.juju import link
from matrix.load import client, places
from matrix.plans import snapshot

_MOST = 400  # characters of what a probe says that are kept

Write = Callable[[journal.What], object]


class Probing:
    """Samples the probes of one model."""

    def __init__(self, some: Sequence[probes.Probe], on: link.Link, write: Write):
        self._probes, self._link, self._write = tuple(some), on, write
        self._client: client.Client | None = None

    async def go_on(self) -> None:
        """Sample each probe as often as it says, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for one in self._probes:
                group.create_task(self._again(one), name=f'probe {one.name}')

    async def once(self) -> None:
        """Sample every probe now."""
        await asyncio.gather(*(self._sample(one) for one in self._probes))

    async def close(self) -> None:
        """Close connections."""
        if self._client is not None:
            await self._client.close()

    async def _again(self, one: probes.Probe) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await self._sample(one)
            await asyncio.sleep(max(0.1, one.every - (loop.time() - began)))

    async def _sample(self, one: probes.Probe) -> None:
        try:
            async with asyncio.timeout(one.timeout + 5):
                found = await self._ask(one)
        except (TimeoutError, link.LinkError, aiohttp.ClientError, OSError, ValueError) as error:
            # A bundle that does not answer is what the probe is about; a tool that cannot be asked is not.
            why = str(error) or f'no answer within {one.timeout:g} s'
            found = [_unasked(one, '', why)]
        for sample in found:
            self._write(journal.Note(notes.PROBE, _plain(sample)))

    async def _ask(self, one: probes.Probe) -> list[probes.Sample]:
        if one.how == 'command':
            return await self._command(one)
        asker = self._client = self._client or client.Client()
        return await (self._query(one, asker) if one.how == 'promql' else self._http(one, asker))

    async def _command(self, one: probes.Probe) -> list[probes.Sample]:
        if not one.on:
            return [await _here(one, self._link.model)]
        units = _units(one.on, self._link.now())
        if not units:
            return [_unasked(one, one.on, f'there is no {one.on}')]

        async def ask(unit: snapshot.Unit) -> probes.Sample:
            try:
                ran = await self._link.script(unit.name, one.asks, within=one.timeout)
            except (link.LinkError, TimeoutError) as error:
                return _unasked(one, unit.name, str(error) or 'it cannot be reached')
            return probes.Sample(one.name, unit.name, ran.code, ran.output.strip()[-_MOST:])

        return [*await asyncio.gather(*map(ask, units))]

    async def _http(self, one: probes.Probe, asker: client.Client) -> list[probes.Sample]:
        async def ask(unit: str, url: str) -> probes.Sample:
            try:
                async with asyncio.timeout(one.timeout):
                    answer = await asker.ask('GET', url)
            except (aiohttp.ClientError, OSError, TimeoutError, client.UnclearError) as error:
                # Nobody answers: to a client that is an answer, and no good one.
                return probes.Sample(one.name, unit, text=str(error) or 'no answer in time')
            text = answer.body[:_MOST].decode(errors='replace').strip()
            return probes.Sample(one.name, unit, answer.status, text)

        urls = _urls(one.asks, self._link.now())
        if not urls:
            return [_unasked(one, '', f'nobody in the model has the address in {one.asks}')]
        return [*await asyncio.gather(*(ask(unit, url) for unit, url in urls))]

    async def _query(self, one: probes.Probe, asker: client.Client) -> list[probes.Sample]:
        urls = _urls(one.prometheus, self._link.now())
        if not urls:
            return [_unasked(one, '', f'nobody in the model has the address in {one.prometheus}')]
        url = f'{urls[0][1].rstrip("/")}/api/v1/query'
        headers = {'Content-Type': 'application/x-www-form-urlencoded'}
        body = f'query={_quoted(one.asks)}'.encode()
        async with asyncio.timeout(one.timeout):
            answer = await asker.ask('POST', url, headers=headers, body=body)
        if answer.status != 200:
            return [_unasked(one, '', f'Prometheus says {answer.status} to the query')]
        return of_prometheus(one, answer.json())


def of_prometheus(one: probes.Probe, said: object) -> list[probes.Sample]:
    """The samples in the answer of Prometheus' HTTP API (`/api/v1/query`): a vector or a scalar. Pure.

    A query that finds nothing has not been answered: an absent series is no number.
    """
    data = _mapping(_mapping(said).get('data'))
    kind, result = data.get('resultType'), data.get('result')
    if kind == 'scalar' and isinstance(result, list) and len(cast('list[Any]', result)) == 2:
        return [probes.Sample(one.name, text=str(cast('list[Any]', result)[1]))]
    if kind == 'vector' and isinstance(result, list) and result:
        try:
            return [
                probes.Sample(one.name, _labels(each.get('metric')), text=str(each['value'][1]))
                for each in cast('list[dict[str, Any]]', result)
            ]
        except (AttributeError, LookupError, TypeError):
            return [_unasked(one, '', 'Prometheus gave a vector that has no values')]
    if kind == 'vector' and result in (None, []):
        return [_unasked(one, '', 'the query finds nothing')]
    return [_unasked(one, '', 'Prometheus gave neither a vector nor a scalar')]


def _mapping(value: object) -> dict[str, Any]:
    return cast('dict[str, Any]', value) if isinstance(value, dict) else {}


def _labels(metric: object) -> str:
    if not isinstance(metric, dict):
        return ''
    some = cast('dict[str, object]', metric)
    return ', '.join(f'{key}={value}' for key, value in sorted(some.items()) if key != '__name__')


def _quoted(text: str) -> str:
    return ''.join(
        chr(one) if chr(one).isalnum() and one < 128 else f'%{one:02X}' for one in text.encode()
    )


async def _here(one: probes.Probe, model: str) -> probes.Sample:
    """A command where matrix itself runs; JUJU_MODEL names the model."""
    said: list[str] = []
    env = {**os.environ, 'JUJU_MODEL': model}
    try:
        async with (
            asyncio.timeout(one.timeout),
            programs.running('sh', '-c', f'exec 2>&1\n{one.asks}', env=env) as process,
        ):
            await programs.follow(process.stdout, said.append)
            code = await process.wait()
    except TimeoutError:
        code, said = 124, [f'no answer within {one.timeout:g} s']
    return probes.Sample(one.name, '', code, '\n'.join(said).strip()[-_MOST:])


def _urls(url: str, model: snapshot.Model) -> list[tuple[str, str]]:
    """The URL for each unit that it names, with the unit; as it stands where it names none."""
    place = surroundings.PLACE.search(url)
    if place is None:
        return [('', url)]
    return [
        (unit.name, url.replace(place[0], places.literal(unit.address)))
        for unit in places.units(place[1], model)
    ]


def _units(place: str, model: snapshot.Model) -> list[snapshot.Unit]:
    return [
        unit
        for application in model.applications
        for unit in application.units
        if place in {unit.name, application.name}
    ]


def _unasked(one: probes.Probe, on: str, why: str) -> probes.Sample:
    return probes.Sample(one.name, on, error=why[:_MOST])


def _plain(sample: probes.Sample) -> dict[str, located.Plain]:
    value: dict[str, located.Plain] = {'name': sample.name}
    for key in ('on', 'code', 'text', 'error'):
        if said := getattr(sample, key):
            value[key] = said
    return value


@contextlib.asynccontextmanager
async def running(
    some: Sequence[probes.Probe], on: link.Link, write: Write
) -> AsyncGenerator[Probing]:
    """Sample the probes inside, and each once more on leaving in order."""
    them = Probing(some, on, write)
    if some:
        write(journal.Note(notes.PROBES, [probes.plain(one) for one in some]))
    task = asyncio.create_task(them.go_on(), name='probes')
    try:
        yield them
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await them.close()
