"""What a suite or a bundle says of its load: under `load` in tests/test.yaml, or as arguments of the rule. Pure."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Literal

from matrix.grammar import fields, located, problem
from matrix.history import profile
from matrix.load import sqlspec

USES = ('auto', 'load', 'end_to_end', 'http', 'sql', 'openstack', 'none')
KEYS = ('use', 'rate', 'arrivals', 'http', 'sql', 'openstack', 'stages')
_ENDPOINT_KEYS = (
    'name', 'url', 'method', 'body', 'headers', 'expect', 'weight', 'timeout', 'reads', 'register', 'says',
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class CloudThing:
    """What of a cloud is used as a thing of which kind, and the service that has it."""

    kind: str
    service: str


CLOUD_THINGS: Mapping[str, CloudThing] = {
    'image-property': CloudThing('register', 'image'),
    'image-names': CloudThing('set', 'image'),
    'project-description': CloudThing('register', 'identity'),
}


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """One kind of HTTP request.

    In `url` and `body`, `{key}` is a name of its own for every write, and `{application}`, `{application/0}` or
    `{application/leader}` in `url` the address of a unit: of each in turn, of that one, or of the one that leads
    then. `reads` names the endpoint whose writes this one reads back. `register` names the register that this one
    writes (`{value}` in `body`), compares and sets (`{old}` and `{new}`) or reads; `{key}` is then one of a few,
    and the first group of `says` is the value in what a read is told.
    """

    name: str
    url: str
    method: str = 'GET'
    body: str = ''
    headers: tuple[tuple[str, str], ...] = ()
    expect: tuple[int, ...] = ()
    weight: float = 1.0
    timeout: float = 10.0
    reads: str = ''
    register: str = ''
    says: str = ''

    @property
    def does(self) -> Literal['read', 'write', 'cas']:
        """What it does to a register."""
        if '{value}' in self.body:
            return 'write'
        return 'cas' if '{new}' in self.body else 'read'


@dataclasses.dataclass(frozen=True)
class Spec:
    """Which load, how much of it (operations a second, and the stages after that), its endpoints, its database."""

    use: str = 'auto'
    rate: float = 10.0
    arrivals: Literal['even', 'random'] = 'even'
    http: tuple[Endpoint, ...] = ()
    stages: tuple[profile.Stage, ...] = ()
    sql: sqlspec.Sql | None = None
    openstack: tuple[str, ...] = ()
    """Which of `CLOUD_THINGS` a load on an OpenStack uses."""

    @property
    def profile(self) -> profile.Profile:
        """How many operations are due when."""
        return profile.Profile(self.rate, self.stages)

    def at_rate(self, rate: float) -> Spec:
        """The same at another rate; stages in proportion."""
        return dataclasses.replace(self, rate=rate, stages=self.profile.scaled(rate).stages)


def read(
    value: located.Value | None, *, otherwise: Spec | None = None, of_rule: bool = False
) -> Spec:
    """A load as it is written: one of `USES`, or a mapping. What it leaves out is as in `otherwise`.

    `of_rule`: these are a rule's arguments, and tests/test.yaml may say the rest.

    Raises:
        problem.RefusedError: with every problem, each at its line.
    """
    before = otherwise or Spec()
    if value is None:
        return before
    reading = fields.Fields()
    if isinstance(value, located.Scalar):
        value = located.Mapping(value.where, (located.Entry(value.where, 'use', value),))
    mapping = reading.mapping(value, KEYS, 'a load')
    found = before if mapping is None else _spec(mapping, before, reading)
    said_so = (
        mapping is not None and mapping.get('sql') is not None
    )  # What is wrong with it is known.
    alone = otherwise is None and not of_rule and not said_so
    if found.use == 'sql' and found.sql is None and alone:
        said = "'use: sql' has 'sql', as in {at: '{mysql}', database: test}"
        reading.wrong(value.where, said)
    reading.done()
    return found


def of_args(
    args: Mapping[str, located.Plain],
    where: problem.Where,
    *,
    otherwise: Spec | None = None,
    lines: Mapping[str, problem.Where] | None = None,
) -> Spec:
    """The load that a rule's arguments ask for; arguments of other names are somebody else's.

    `lines`: where each argument stands, if not where the rule does.

    Raises:
        problem.RefusedError: with every problem, at the line of its argument.
    """
    own = {key: (lines or {}).get(key, where) for key in KEYS if key in args}
    entries = (located.Entry(at, key, fields.at(args[key], at)) for key, at in own.items())
    mapping = located.Mapping(where, tuple(entries))
    return read(mapping, otherwise=otherwise, of_rule=True)


def _spec(mapping: located.Mapping, before: Spec, reading: fields.Fields) -> Spec:
    read = [
        (item.where, found)
        for number, item in enumerate(reading.items(mapping, 'http'), 1)
        if (found := _endpoint(item, number, reading)) is not None
    ]
    http = tuple(one for _, one in read)
    names = [one.name for one in http]
    for where, one in read:
        if one.reads and one.reads not in names:
            near = problem.suggestion(one.reads, names)
            reading.wrong(where, f'no endpoint {one.reads!r} to read back{near}')
        if one.reads and one.reads in names:
            _tells_apart(http[names.index(one.reads)], read[names.index(one.reads)][0], reading)
        if names.count(one.name) > 1:
            reading.wrong(where, f'two endpoints are called {one.name!r}')
    _registers(read, reading)
    database = mapping.get('sql')
    sql = None if database is None else sqlspec.read(database, reading)
    cloud = mapping.get('openstack')
    things = before.openstack if cloud is None else _of_cloud(cloud, reading)
    said = ((http, 'http'), (database, 'sql'), (cloud, 'openstack'))
    implied = next((name for there, name in said if there), before.use)
    use = reading.choice(mapping, 'use', USES, implied)
    if cloud is not None and use != 'openstack':
        other = 'http' if http else 'sql' if database else f'use: {use}'
        reading.wrong(
            cloud.where, f"'openstack' and {other!r} do not go together: a test has one load"
        )
    if database is not None and (http or use != 'sql'):
        other = "'http'" if http else f"'use: {use}'"
        reading.wrong(database.where, f"'sql' and {other} do not go together: a test has one load")
    return Spec(
        use=use,
        rate=reading.number(mapping, 'rate', before.rate, least=0.1, most=10_000),
        arrivals='random'
        if reading.choice(mapping, 'arrivals', ('even', 'random'), before.arrivals) == 'random'
        else 'even',
        http=http or before.http,
        stages=_stages(mapping, before.stages, reading),
        sql=sql or before.sql,
        openstack=things,
    )


def _of_cloud(value: located.Value, reading: fields.Fields) -> tuple[str, ...]:
    """What of a cloud is used as registers and sets."""
    mapping = reading.mapping(value, ('things',), "'openstack'")
    return () if mapping is None else reading.words(mapping, 'things', CLOUD_THINGS)


def _stages(
    mapping: located.Mapping, before: tuple[profile.Stage, ...], reading: fields.Fields
) -> tuple[profile.Stage, ...]:
    if mapping.get('stages') is None:
        return before
    found: list[profile.Stage] = []
    for item in reading.items(mapping, 'stages'):
        one = reading.mapping(item, ('for', 'rate'), 'a stage')
        if one is None:
            continue
        for key in ('for', 'rate'):
            if one.get(key) is None:
                reading.wrong(one.where, f'a stage has {key!r}, as in {{for: 60, rate: 20}}')
        seconds = reading.number(one, 'for', 0.0, most=86_400)
        found.append(
            profile.Stage(seconds, reading.number(one, 'rate', 1.0, least=0.1, most=10_000))
        )
    return tuple(found)


def _registers(some: list[tuple[problem.Where, Endpoint]], reading: fields.Fields) -> None:
    """What is wrong with endpoints of registers."""
    for where, one in some:
        for said in _wrong(one):
            reading.wrong(where, f'{said} in {one.name!r}')
    for name in dict.fromkeys(one.register for _, one in some if one.register):
        mine = [(where, one.does) for where, one in some if one.register == name]
        does = [what for _, what in mine]
        if 'read' not in does or len(set(does)) < 2:
            lacks = 'reads it' if 'read' not in does else "writes it ('{value}' in its 'body')"
            reading.wrong(
                mine[0][0],
                f'no endpoint of the register {name!r} {lacks}: nothing would be compared',
            )
        for what in sorted(set(does)):
            if does.count(what) > 1:
                reading.wrong(
                    mine[0][0], f'two endpoints of the register {name!r} do the same: {what}'
                )


def _wrong(one: Endpoint) -> Iterator[str]:
    if one.register and one.reads:
        yield "'reads' and 'register' do not go together"
    if one.register and '{key}' not in one.url + one.body:
        yield "'url' has no '{key}', so that all registers would be one"
    if one.register and ('{old}' in one.body) != ('{new}' in one.body):
        yield "what compares and sets has '{old}' and '{new}'"
    if one.register and one.does == 'read' and one.method not in {'GET', 'POST'}:
        yield f"{one.method} of a register has '{{value}}', or '{{old}}' and '{{new}}', in its 'body'"
    if one.says and one.does != 'read':
        yield "'says' is for what reads a register"
    if one.says and not one.register:
        yield "'says' is for an endpoint of a register"
    try:
        if one.says and not re.compile(one.says).groups:
            yield '\'says\' has no group, as in \'"value": "(.*?)"\''
    except re.error as error:
        yield f"'says' is no regular expression ({error})"


def _tells_apart(write: Endpoint, where: problem.Where, reading: fields.Fields) -> None:
    """What is read back must be told from what other writes, or nobody, left there."""
    if '{key}' not in write.body:
        reading.wrong(
            where,
            f'the body of {write.name!r} does not tell one write from another, so reading it back proves nothing: '
            "put '{key}' into its 'body'",
        )


def _endpoint(value: located.Value, number: int, reading: fields.Fields) -> Endpoint | None:
    if isinstance(value, located.Scalar):
        value = located.Mapping(value.where, (located.Entry(value.where, 'url', value),))
    mapping = reading.mapping(value, _ENDPOINT_KEYS, 'an endpoint')
    if mapping is None:
        return None
    url = reading.text(mapping, 'url')
    if not url.startswith(('http://', 'https://')):
        this = '' if '@' in url else f', this is {url!r}'  # It may have a password.
        reading.wrong(mapping.where, f"'url' begins with http:// or https://{this}")
        return None
    method = reading.text(mapping, 'method', 'GET').upper()
    return Endpoint(
        name=reading.text(mapping, 'name', f'{method.lower()} {number}'),
        url=url,
        method=method,
        body=reading.text(mapping, 'body'),
        headers=_headers(mapping, reading),
        expect=reading.statuses(mapping, 'expect'),
        weight=reading.number(mapping, 'weight', 1.0, least=0.001),
        timeout=reading.number(mapping, 'timeout', 10.0, least=0.01),
        reads=reading.text(mapping, 'reads'),
        register=reading.text(mapping, 'register'),
        says=reading.text(mapping, 'says'),
    )


def _headers(mapping: located.Mapping, reading: fields.Fields) -> tuple[tuple[str, str], ...]:
    value = mapping.get('headers')
    if value is None:
        return ()
    if not isinstance(value, located.Mapping):
        reading.wrong(value.where, f"'headers' is a mapping, this is {located.kind(value)}")
        return ()
    return tuple((entry.key, reading.text(value, entry.key)) for entry in value.entries)
