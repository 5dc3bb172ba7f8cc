"""The configuration files of a service, from its charm, its subordinates and its operator. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from . import apache, conf, host, settings, state
from .relations import Need, subordinate
from .spec import Ready, ServiceSpec


def files(spec: ServiceSpec, ready: Ready) -> tuple[host.File, ...]:
    """All of them, each with what must take it up."""
    apps = tuple(apache.group(app.name) for app in spec.apps)
    found = [
        _config_file(spec, ready, path, make, (*apps, *(d.name for d in spec.daemons)))
        for path, make in spec.config.items()
    ]
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
            found.append(_config_file(spec, ready, path, make, (apache.group(app.name),)))
    for daemon in spec.daemons:
        for path, make in daemon.config.items():
            found.append(_config_file(spec, ready, path, make, (daemon.name,)))
    return tuple(found)


def _config_file(
    spec: ServiceSpec,
    ready: Ready,
    path: str,
    make: Callable[[Ready], conf.Ini | str],
    notify: tuple[str, ...],
) -> host.File:
    ours = make(ready)
    theirs = (
        conf.written(c.sections.get(path, {}))
        for n in spec.sections
        for c in contributed(ready, n)
    )
    return host.File(
        path=path,
        # What the service's own charm says wins.
        content=ours
        if isinstance(ours, str)
        else conf.render(conf.merge(*theirs, ours, _operators(spec, ready, path))),
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
    return f'{next(iter(spec.config)).rpartition("/")[0]}/policy.d/charm.yaml'


def no_rules(spec: ServiceSpec, inputs: state.Inputs) -> host.Host:
    """No policy of the operator's lies there when none is wanted."""
    if inputs.options.get('policy-overrides') or not spec.config:
        return host.Host()
    apps = tuple(apache.group(app.name) for app in spec.apps)
    return host.Host(absent=(host.Absent(path=_policy_path(spec), notify=apps),))


def contributed(ready: Ready, need: Need[Any]) -> tuple[subordinate.Contribution, ...]:
    """What subordinates on the relation of *need* contribute."""
    found = ready.found.get(need)
    return cast('tuple[subordinate.Contribution, ...]', found) if found is not None else ()
