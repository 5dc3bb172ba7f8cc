"""What of a service's needs is met, what it asks of others for them, and what is said of the rest. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from . import state
from .relations import Databag, Need
from .spec import ServiceSpec


def found(spec: ServiceSpec, inputs: state.Inputs) -> dict[Need[Any], object]:
    """What each need is answered with, by the need; None as long as it is not."""
    return {
        n: n.read(related, inputs.site) if (related := inputs.of(n.relation)) else None
        for n in spec.every_need
    }


def unmet(
    found: Mapping[Need[Any], object],
    inputs: state.Inputs,
    relations: Collection[str] | None = None,
) -> list[state.Status]:
    """What is said of each that is due and not met, of *relations* or of all; none when the service can be."""
    return [
        _missing(n, inputs)
        for n, data in found.items()
        if data is None and due(n, inputs) and (relations is None or n.relation in relations)
    ]


def refusals(spec: ServiceSpec, inputs: state.Inputs) -> list[state.Status]:
    """What the other side of a relation does not do as it is asked now, though it may have before."""
    said = [(n, n.refusal(inputs.of(n.relation), inputs.site)) for n in spec.needs if n.refusal]
    return [state.Status('blocked', f'{n.relation}: {text}') for n, text in said if text]


def requests(spec: ServiceSpec, inputs: state.Inputs) -> dict[str | int, Databag]:
    """What is asked of others, by endpoint."""
    # Everything at once, whatever is still missing: it saves round trips.
    out: dict[str | int, dict[str, str]] = {}
    for need in spec.every_need:
        if inputs.of(need.relation):
            out.setdefault(need.relation, {}).update(need.request(inputs.site))
    return dict(out)


def app_requests(spec: ServiceSpec, inputs: state.Inputs) -> dict[str | int, Databag]:
    """What the leader asks for the whole application, by endpoint."""
    out: dict[str | int, dict[str, str]] = {}
    for need in spec.every_need:
        if need.request_app and inputs.of(need.relation):
            out.setdefault(need.relation, {}).update(need.request_app(inputs.site))
    return dict(out)


def due(need: Need[Any], inputs: state.Inputs) -> bool:
    """Whether *need* holds the service up as long as it is not met."""
    return not need.optional or bool(inputs.of(need.relation))


def _missing(need: Need[Any], inputs: state.Inputs) -> state.Status:
    if not inputs.of(need.relation):
        return state.Status('blocked', f'missing relation: {need.relation}')
    if need.refusal and (said := need.refusal(inputs.of(need.relation), inputs.site)):
        return state.Status('blocked', f'{need.relation}: {said}')
    return state.Status('waiting', f'waiting for {need.relation} to grant {need.name}'.rstrip())
