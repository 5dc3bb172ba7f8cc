"""What related applications ask for: accounts and virtual hosts, over the relation ``amqp``. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import charmkit
from charmkit.relations import rabbitmq

REQUESTS = 'requests'
"""In the unit's memory: what was asked for and met last, by relation id."""


@dataclasses.dataclass(frozen=True)
class Asked:
    """All that is asked over ``amqp``: by relation id, and what was refused."""

    requests: Mapping[int, tuple[rabbitmq.Request, ...]]
    refusals: tuple[rabbitmq.Refusal, ...]

    @property
    def every(self) -> tuple[rabbitmq.Request, ...]:
        """The requests of all relations."""
        return tuple(r for found in self.requests.values() for r in found)

    @property
    def users(self) -> set[str]:
        """All that are asked for."""
        return {r.user for r in self.every}


def asked(inputs: charmkit.Inputs) -> Asked:
    """Read every relation on ``amqp``; one that asks for nonsense hurts no other, and keeps what it had."""
    memory: Mapping[str, list[list[Any]]] = inputs.memory.get(REQUESTS, {})
    by_relation: dict[int, tuple[rabbitmq.Request, ...]] = {}
    refusals: list[rabbitmq.Refusal] = []
    for relation in inputs.of('amqp'):
        before = (rabbitmq.Request(*fields) for fields in memory.get(str(relation.id), ()))
        by_relation[relation.id], refused = rabbitmq.requests(relation, before)
        refusals += refused
    return Asked(by_relation, tuple(refusals))


def kept(found: Asked) -> dict[str, object]:
    """*found* as a value of the unit's memory."""
    return {
        str(i): [[*dataclasses.astuple(r)] for r in every]
        for i, every in found.requests.items()
        if every
    }
