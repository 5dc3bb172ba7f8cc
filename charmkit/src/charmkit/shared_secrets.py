"""Values that an application chooses once at random, and that all of its units share. Pure.

The leader chooses, and keeps each in a Juju secret whose URI stands in the peer relation. What was chosen stays: a
leader that cannot read it yet waits, as the others do.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from . import state
from .relations import Databag

_FIELD = 'value'


@dataclasses.dataclass(frozen=True, kw_only=True)
class Chosen:
    """What :func:`decide` decides."""

    values: Mapping[str, str] = dataclasses.field(repr=False)
    """By name; those that are known."""
    secrets: Mapping[str, state.Secret]
    """What the leader keeps."""
    app_data: Databag
    """For the peer relation: where each is."""
    status: tuple[state.Status, ...]
    """What is waited for."""


def decide(names: Iterable[str], inputs: state.Inputs) -> Chosen:
    """The values of *names*: read, or chosen by the leader if nobody has chosen before."""
    values: dict[str, str] = {}
    status: list[state.Status] = []
    for name in names:
        uri = inputs.peers.get(name, '')
        value = inputs.secrets.get(uri, {}).get(_FIELD, '')
        if not uri and inputs.site.leader:
            value = state.password(inputs, name)
        if value:
            values[name] = value
        elif uri or not inputs.site.leader:
            status.append(state.Status('waiting', f'waiting for the leader to share {name}'))
    return Chosen(
        values=values,
        secrets={name: state.Secret(content={_FIELD: value}) for name, value in values.items()}
        if inputs.site.leader
        else {},
        app_data={
            name: inputs.peers.get(name, '') or state.secret_uri(name)
            for name in names
            if name in values or inputs.peers.get(name)
        },
        status=tuple(status),
    )
