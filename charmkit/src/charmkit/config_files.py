"""The configuration files of a service, from its charm, its subordinates and its operator. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from . import apache, conf, host, settings, state
from .relations import Need, merging, subordinate
from .spec import Ready, ServiceSpec

_SHOWN = 80
"""Characters of a path that a subordinate names."""
_MOST = 3
"""Of such paths."""


def files(spec: ServiceSpec, ready: Ready) -> tuple[host.File, ...]:
    """All of them, each with what must take it up."""
    apps = tuple(apache.group(app.name) for app in spec.apps)
    every = (*apps, *(d.name for d in spec.daemons))
    theirs = merged(spec, ready.found)
    found = [
        _config_file(spec, ready, theirs, path, make, every) for path, make in spec.config.items()
    ]
    found += _authorities(spec, theirs, every)
    if checks := settings.rules(str(ready.inputs.options.get('policy-overrides') or '')):
        found.append(
            host.File(
                path=_policy_path(spec),
                content=settings.render_rules(checks),
                group=spec.user,
                mode=0o640,
                notify=apps,
            )
        )
    for app in spec.apps:
        for path, make in app.config.items():
            found.append(_config_file(spec, ready, theirs, path, make, (apache.group(app.name),)))
    for daemon in spec.daemons:
        for path, make in daemon.config.items():
            found.append(_config_file(spec, ready, theirs, path, make, (daemon.name,)))
    return tuple(found)


def _written(spec: ServiceSpec) -> set[str]:
    """The paths of all of the service's files."""
    parts = (spec.config, *(a.config for a in spec.apps), *(d.config for d in spec.daemons))
    return {path for part in parts for path in part}


def _config_file(
    spec: ServiceSpec,
    ready: Ready,
    theirs: merging.Merged,
    path: str,
    make: Callable[[Ready], conf.Ini | str],
    notify: tuple[str, ...],
) -> host.File:
    ours = make(ready)
    if not isinstance(ours, (str, Mapping)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(
            f'{path}: its function gives {ours!r:.60}, and no sections: is there a return?'
        )
    first = path == next(iter(spec.config), '')
    return host.File(
        path=path,
        # What the service's own charm says wins.
        content=ours
        if isinstance(ours, str)
        else (_restarts(theirs) if first else '')
        + conf.render(
            conf.merge(
                conf.written(theirs.sections.get(path, {})), ours, _operators(spec, ready, path)
            )
        ),
        group=spec.user,
        mode=0o640,
        notify=notify,
    )


def _operators(spec: ServiceSpec, ready: Ready, path: str) -> conf.Ini:
    """What the operator has for the service's first file: it goes over all else."""
    if path != next(iter(spec.config)):
        return {}
    said = ready.inputs.options
    policy = {'policy_dirs': _policy_path(spec).rpartition('/')[0]}
    return conf.merge(
        conf.cors(str(said.get('cors-allowed-origins') or '').split()),
        {'oslo_policy': policy} if said.get('policy-overrides') else {},
        conf.written(settings.sections(str(said.get('config-flags') or ''))),
    )


def _policy_path(spec: ServiceSpec) -> str:
    """After what the package has there: the last file wins (oslo.policy)."""
    folder = next(iter(spec.config), f'/etc/{spec.name}/').rpartition('/')[0]
    return f'{folder}/policy.d/charm.yaml'


def no_rules(spec: ServiceSpec, inputs: state.Inputs) -> host.Host:
    """No policy of the operator's lies there when none is wanted."""
    if inputs.options.get('policy-overrides') or not (spec.config or spec.apps):
        return host.Host()
    apps = tuple(apache.group(app.name) for app in spec.apps)
    return host.Host(absent=(host.Absent(path=_policy_path(spec), notify=apps),))


def _restarts(theirs: merging.Merged) -> str:
    """A line that is another one when a subordinate asks for a restart: what reads the file starts anew with it."""
    if not theirs.restarts:
        return ''
    return f'# Restarted for its subordinates: {host.digest(" ".join(theirs.restarts))}\n'


def _authorities(
    spec: ServiceSpec, theirs: merging.Merged, notify: tuple[str, ...]
) -> list[host.File]:
    """What the service is to trust where it speaks to what a subordinate stands for."""
    directory = next(iter(spec.config), '').rpartition('/')[0]
    return [
        host.File(path=subordinate.ca_file(directory, app), content=pem, notify=notify)
        for app, pem in theirs.authorities.items()
        if directory
    ]


def contributions(
    spec: ServiceSpec, found: Mapping[Need[Any], object]
) -> list[tuple[Need[Any], subordinate.Contribution]]:
    """What subordinates contribute, each with the need that it answers."""
    return [
        (need, c)
        for need in spec.sections
        for c in cast('tuple[subordinate.Contribution, ...]', found.get(need) or ())
    ]


def merged(spec: ServiceSpec, found: Mapping[Need[Any], object]) -> merging.Merged:
    """What all subordinates want together."""
    return merging.merge(c for _, c in contributions(spec, found))


def notes(spec: ServiceSpec, ready: Ready) -> list[state.Status]:
    """What of what subordinates contribute is not done, and why."""
    found = contributions(spec, ready.found)
    release = ready.release.name
    return [
        *(state.Status('blocked', f'{c.app}: {c.refused}') for _, c in found if c.refused),
        *(
            state.Status('blocked', f'{c.app}: {path[:_SHOWN]!r} is no file of {spec.name}')
            for _, c in found
            for path in sorted({*c.sections} - _written(spec))[:_MOST]
        ),
        *(
            state.Status('blocked', str(disagreement))
            for disagreement in merged(spec, ready.found).disagreements
        ),
        *(
            state.Status(
                'active', f'{c.app} is of {c.release}, this unit of {release}: upgrade both'
            )
            for _, c in found
            if c.release not in ('', release)
        ),
        *(
            state.Status('waiting', f'{need.relation}: {c.app} has said nothing yet')
            for need, c in found
            if c.silent
        ),
    ]
