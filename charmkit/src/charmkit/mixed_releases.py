"""What waits until all units run one release, by what they say themselves and by what load balancers see. Pure.

An expanded schema serves the release before it as well. What comes after (online migrations, the contraction) is for
the new one alone: it is refused, by name, while a unit of another release is left. Those of this application say so to
their peers, at once; load balancers see whatever else is behind the service, until it has been drained everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator

from . import endpoints, releases, spec, state
from .relations import loadbalancer, running, unit_order


def here(spec: spec.ServiceSpec, inputs: state.Inputs) -> running.Running:
    """What this unit runs. Raises ValueError for a base that is not known."""
    base, package = inputs.facts.base, spec.packages[0]
    release = releases.of_package(base, package, inputs.versions.get(package, ''))
    return running.Running(release.name, base)


def others(inputs: state.Inputs, release: str) -> dict[str, str]:
    """The units of this application that run another release, or do not say which, and what they say."""
    said = {unit: running.read(bag).release for unit, bag in inputs.peer_units.items()}
    return {u: said[u] for u in sorted(said, key=unit_order) if said[u] != release}


def refusal(spec: spec.ServiceSpec, inputs: state.Inputs, release: str) -> str:
    """Why what *release* alone bears must wait, in words for the operator; '' if it need not."""
    found = [*_of_peers(inputs, release), *_of_balancers(spec, inputs, release)]
    if not found:
        return ''
    return f'not all units run {release}: {"; ".join(found)}'


def _of_peers(inputs: state.Inputs, release: str) -> Iterator[str]:
    for unit, theirs in others(inputs, release).items():
        yield f'{unit} {_runs(theirs)}'


def _of_balancers(spec: spec.ServiceSpec, inputs: state.Inputs, release: str) -> Iterator[str]:
    relations = [r for name in loadbalancer.ENDPOINTS for r in inputs.of(name)]
    services = [o.service for o in endpoints.every(spec, inputs) if o.api]
    for balancer, by_service in sorted(running.in_rotation(relations, services).items()):
        left: dict[str, str] = {}
        for by_release in by_service.values():
            for theirs, units in by_release.items():
                if theirs != release:
                    left |= {u: theirs for u in units if u.rpartition('/')[0] != inputs.site.app}
        for unit in sorted(left, key=unit_order):
            yield f'{balancer} has {unit} in rotation, which {_runs(left[unit])}'


def _runs(release: str) -> str:
    return 'does not say what it runs' if release == running.UNKNOWN else f'runs {release}'
