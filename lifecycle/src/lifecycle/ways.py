"""The ways in which an application is moved: each the whole list of its steps, whatever is done already. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

from lifecycle.progress import Progress
from lifecycle.step import NEW, ORIGIN, Step, Target, Verb

_ONLINE = 'data are brought into their new form, while clients are served'
_CONTRACT = (
    'what only the former release needed leaves the database; there is no way back after it'
)
_REHEARSE = (
    'every migration is run on a copy of the database first, and timed; the database is only read'
)
_EXPAND = 'the database gets what the new units need, and keeps what the old ones do'


def replace(seen: Progress, target: Target) -> Iterator[Step]:
    """Each unit by a new one: nothing goes before its replacement serves, and the leader last."""
    app, actions = seen.application.name, seen.application.declaration.actions
    yield _first(seen, target)
    for unit in seen.new:  # Turned round while it was on its way out: it stays.
        if (
            'admit' in actions
            and not unit.dying
            and unit.admission.state in ('draining', 'drained')
        ):
            yield _action(seen, 'resume', unit.name, f'{unit.name} stays: {_admitted(seen)}')
    for turn, unit in enumerate((*seen.gone, *(unit.name for unit in seen.old)), 1):
        if turn <= len(seen.started.old):
            why, number = f'to stand in for {unit}', turn + seen.before
            yield _step(seen, 'add', turn, number=number, command=f'juju add-unit {app}', why=why)
            if turn == 1 and not target.back:
                founder = seen.founder.name if seen.founder else f'{app}/{NEW}'
                yield from _migrated(seen, founder)
            yield _step(seen, 'admit', turn, number=number, why=_admitted(seen))
        if 'drain' in actions:
            yield _action(seen, 'drain', unit, f'no more requests for {unit}; those under way end')
        command, why = f'juju remove-unit --no-prompt {unit}', 'its replacement serves'
        yield _step(seen, 'remove', _number(unit), unit=unit, command=command, why=why)
    if not target.back:
        yield from _last(seen)


def in_place(seen: Progress, target: Target) -> Iterator[Step]:
    """One unit after the other: out of rotation, its packages upgraded, back into rotation; the leader last."""
    actions = seen.application.declaration.actions
    there = {unit.name for unit in seen.new}
    ran = seen.record.ran.get(seen.application.name, ())
    upgraded = [one.unit for one in ran if one.verb == 'upgrade' and one.unit in there]
    yield _first(seen, target)
    for turn, unit in enumerate((*dict.fromkeys(upgraded), *(unit.name for unit in seen.old)), 1):
        if 'drain' in actions:
            why = f'no more requests for {unit}; those under way end'
            yield _action(seen, 'drain', unit, why, in_place=True)
        yield _action(
            seen, 'upgrade', unit, 'its packages are those of the archive', in_place=True
        )
        if turn == 1:
            yield from _migrated(seen, unit, in_place=True)
        if 'admit' in actions:
            yield _action(
                seen, 'resume', unit, f'{unit} serves again: {_admitted(seen)}', in_place=True
            )
    yield from _last(seen)


def own(seen: Progress, target: Target) -> Iterator[Step]:
    """As many new units as there are, that follow the old ones; these hand over, and go once nobody needs them.

    Where that is more than its charm moves so, the others go before and come back after it.
    """
    yield _first(seen, target)
    if target.back:
        yield from _own_back(seen)
        return
    extra, units = _parted(seen)
    for unit in extra:
        yield _removed(
            seen, unit, 'the others have all that it has; it comes back on the new base'
        )
    if seen.shrinks:
        yield _step(seen, 'settle', why='wait until those that are left are active and at rest')
    moved = seen.least(_step(seen, 'switch')) if seen.shrinks else len(seen.started.old)
    yield from _joined(seen, range(1, moved + 1), _FOLLOW, f'it follows{_held(seen, "admit")}')
    if units:
        last = seen.old[-1].name if seen.old else units[-1]
        why = f'{_SWITCH}{_held(seen, "switch")}; there is no way back after it'
        yield _action(seen, 'switch', last, why)
    for unit in units:
        yield _action(
            seen, 'drain', unit, f'wait until no client is connected through {unit} any more'
        )
        yield _removed(seen, unit, 'it has handed over')
    yield from _joined(seen, range(moved + 1, len(seen.started.old) + 1), _BACK, 'it has joined')


def _parted(seen: Progress) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The units that go before the others hand over, and those that do."""
    there = tuple(unit.name for unit in seen.old)
    if not seen.shrinks:
        return (), (*seen.gone, *there)
    every = (*seen.gone, *there)
    more = max(len(every) - seen.application.declaration.own_units, 0)
    return every[:more], every[more:]


def _own_back(seen: Progress) -> Iterator[Step]:
    """Nothing was handed over: those that have followed go, and those that went before come back."""
    for unit in (*seen.gone, *(unit.name for unit in seen.old)):
        yield _removed(seen, unit, 'it only followed')
    if seen.shrinks:
        most = seen.application.declaration.own_units
        turns = range(most + 1, seen.started.units + 1)
        yield from _joined(seen, turns, _BACK, 'it has joined', before=0)


def _joined(
    seen: Progress, turns: range, why: str, until: str, before: int | None = None
) -> Iterator[Step]:
    """All of *turns* are added, then each is waited for: one may need the other to join."""
    there, app = seen.before if before is None else before, seen.application.name
    for turn in turns:
        command = f'juju add-unit {app}'
        yield _step(seen, 'add', turn, number=turn + there, command=command, why=why)
    for turn in turns:
        wait = f'wait until {until}, and is active'
        yield _step(seen, 'admit', turn, number=turn + there, why=wait)


_FOLLOW = 'it gets what the old units have, and follows them'
_BACK = 'it gets what the others have, and is one of them'
_SWITCH = 'the new units take over, and clients are notified'


def _held(seen: Progress, purpose: str) -> str:
    seconds = seen.application.declaration.holds.get(purpose)
    return f'; clients wait meanwhile, {seconds} s at most' if seconds else ''


def _removed(seen: Progress, unit: str, why: str) -> Step:
    command = f'juju remove-unit --no-prompt {unit}'
    return _step(seen, 'remove', _number(unit), unit=unit, command=command, why=why)


def refresh(seen: Progress, target: Target) -> Iterator[Step]:
    """All units to another revision of their charm at once; the next application once all are well."""
    app = seen.application
    path = target.paths.get(app.charm, f'{target.charms}/{app.charm}')
    why = 'its units get the other revision of their charm, one hook each'
    yield _step(
        seen, 'refresh', path=path, command=f'juju refresh {app.name} --path {path}', why=why
    )
    yield _step(seen, 'healthy', why='wait until every unit is active and at rest with it')


def _first(seen: Progress, target: Target) -> Step:
    app = seen.application.name
    if not seen.base:
        origin = (seen.started.origin or '') if target.back else target.origin
        command = f'juju config {app} {ORIGIN}={origin}'
        why = 'units that are added from now on have this release; those there are wait for their upgrade'
        return _step(seen, 'origin', origin=origin, command=command, why=why)
    command = f'juju set-application-base {app} {seen.base}'
    why = 'units that are added from now on have this base; those there are stay as they are'
    return _step(seen, 'base', command=command, why=why)


def _migrated(seen: Progress, unit: str, *, in_place: bool = False) -> Iterator[Step]:
    verbs: tuple[tuple[Verb, str], ...] = (('rehearse', _REHEARSE), ('expand', _EXPAND))
    for verb, why in verbs:
        if verb in seen.application.declaration.actions:
            yield _action(seen, verb, unit, why, in_place=in_place)


def _last(seen: Progress) -> Iterator[Step]:
    leader = f'{seen.application.name}/leader'
    verbs: tuple[tuple[Verb, str], ...] = (('online', _ONLINE), ('contract', _CONTRACT))
    for verb, why in verbs:
        if verb in seen.application.declaration.actions:
            yield _action(seen, verb, leader, why)


_PURPOSE = {'resume': 'admit'}
"""What a declaration calls the action of a verb, where it is another word."""
_OF_UNIT = ('drain', 'upgrade', 'resume')


def _action(seen: Progress, verb: Verb, unit: str, why: str, *, in_place: bool = False) -> Step:
    action = seen.application.declaration.actions[_PURPOSE.get(verb, verb)]
    part = _number(unit) if verb in _OF_UNIT else ''
    command = f'juju run {unit} {action}'
    return _step(
        seen, verb, part, unit=unit, action=action, command=command, why=why, in_place=in_place
    )


def _step(seen: Progress, verb: Verb, part: object = '', **more: object) -> Step:
    app = seen.application.name
    name = f'{app}.{verb}{f".{part}" if part != "" else ""}'
    known = Step(id=name, application=app, verb=verb, base=seen.base)
    return dataclasses.replace(known, **more)  # pyright: ignore[reportArgumentType]


def _number(unit: str) -> str:
    return unit.rpartition('/')[2]


def _admitted(seen: Progress) -> str:
    balancers = seen.application.balancers
    if balancers:
        send = 'sends' if len(balancers) == 1 else 'send'
        return f'wait until it is active and {" and ".join(balancers)} {send} it requests'
    return 'wait until it is active; there is no load balancer that could say that it sends it requests'
