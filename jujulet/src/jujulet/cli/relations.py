"""Relations: made, suspended, resumed, removed."""

from __future__ import annotations

from typing import Any

from ..core import requests
from . import command
from .command import Call, Command, Flag


def _integrate(call: Call) -> None:
    a, b = call.args
    integrate(call, requests.Integrate(a=a, b=b, via=command.commas(call['via'])))


def integrate(call: Call, request: requests.Integrate) -> dict[str, Any]:
    """Relate two applications; a subordinate is made ready for the bases of its principal's machines first."""
    model = call.fetch_model()
    names = [text.partition(':')[0] for text in (request.a, request.b)]
    if all(name in model.applications for name in names):
        from . import charms

        for name, other in zip(names, reversed(names), strict=True):
            if model.charm_of(name).subordinate:
                charms.prepare(call, model, name, charms.bases_of(model, other))
    return call.change(request)


def _remove_relation(call: Call) -> None:
    if len(call.args) == 1:
        if not call.args[0].isdecimal():
            raise command.usage_error('a relation must involve two applications')
        request = requests.RemoveRelation(id=int(call.args[0]), force=call['force'])
    else:
        request = requests.RemoveRelation(a=call.args[0], b=call.args[1], force=call['force'])
    call.change(request)


def _ids(call: Call) -> tuple[int, ...]:
    words = command.commas(call.args)
    if not all(w.isdecimal() for w in words):
        raise command.usage_error(f'invalid relation ID: {" ".join(words)}')
    return tuple(int(w) for w in words)


def _suspend(call: Call) -> None:
    call.change(requests.SuspendRelation(ids=_ids(call)))


def _resume(call: Call) -> None:
    call.change(requests.SuspendRelation(ids=_ids(call), resume=True))


COMMANDS = (
    Command(
        'integrate',
        _integrate,
        'Integrate two applications.',
        '<application>[:<endpoint>] <application>[:<endpoint>]',
        flags=(Flag(('via',), 'repeatable', help='Accepted: both ends are on this machine'),),
        needs=('a relation must involve two applications',) * 2,
    ),
    Command(
        'remove-relation',
        _remove_relation,
        'Removes an existing relation between two applications.',
        '<application1>[:<endpoint>] <application2>[:<endpoint>] | <relation-id>',
        flags=(command.FORCE,),
        needs=('a relation must involve two applications',),
        most=2,
    ),
    Command(
        'suspend-relation',
        _suspend,
        'Suspends a relation to an application offer.',
        '<relation-id> ...',
        flags=(Flag(('message',), help='Reason for suspension'),),
        needs=('no relation ids specified',),
        most=None,
    ),
    Command(
        'resume-relation',
        _resume,
        'Resumes a suspended relation to an application offer.',
        '<relation-id> ...',
        needs=('no relation ids specified',),
        most=None,
    ),
)
