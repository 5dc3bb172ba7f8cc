"""Options of a model: their defaults and what each may be.

Source: environs/config of Juju 3.6.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from . import bases
from . import charm as charm_
from .model import Model, Refused

DEFAULTS: Mapping[str, Any] = {
    'agent-metadata-url': '',
    'agent-stream': 'released',
    'apt-ftp-proxy': '',
    'apt-http-proxy': '',
    'apt-https-proxy': '',
    'apt-mirror': '',
    'apt-no-proxy': '',
    'automatically-retry-hooks': True,
    'cloudinit-userdata': '',
    'container-networking-method': 'local',
    'default-base': '',
    'default-space': 'alpha',
    'development': False,
    'disable-network-management': False,
    'disable-telemetry': False,
    'egress-subnets': '',
    'enable-os-refresh-update': True,
    'enable-os-upgrade': True,
    'firewall-mode': 'instance',
    'ftp-proxy': '',
    'http-proxy': '',
    'https-proxy': '',
    'image-stream': 'released',
    'install-cache': True,
    'juju-ftp-proxy': '',
    'juju-http-proxy': '',
    'juju-https-proxy': '',
    'juju-no-proxy': '127.0.0.1,localhost,::1',
    'logging-config': '<root>=INFO',
    'lsb-release': '',
    'max-action-results-age': '336h',
    'max-action-results-size': '5G',
    'max-status-history-age': '336h',
    'max-status-history-size': '5G',
    'mode': 'requires-prompts',
    'no-proxy': '127.0.0.1,localhost,::1',
    'num-container-provision-workers': 4,
    'num-provision-workers': 16,
    'provisioner-harvest-mode': 'destroyed',
    'proxy-ssh': False,
    'resource-tags': '',
    'secret-backend': 'auto',
    'seed': 0,
    'snap-http-proxy': '',
    'snap-https-proxy': '',
    'ssl-hostname-verification': True,
    'storage-default-block-source': '',
    'storage-default-filesystem-source': '',
    'test-mode': False,
    'transmit-vendor-metrics': True,
    'update-status-hook-interval': '5m',
}
"""What holds while the user has set nothing. ``install-cache``, ``lsb-release`` and ``seed`` are jujulet's own."""

FIXED = frozenset(('agent-version', 'authorized-keys', 'name', 'type', 'uuid'))
"""What a user may see and not set."""

POOLS = ('rootfs', 'tmpfs', 'loop')
"""Of storage. The first is that of what names none."""

MIN_INTERVAL, MAX_INTERVAL = 1.0, 3600.0

_UNITS = {'ns': 1e-9, 'us': 1e-6, 'µs': 1e-6, 'ms': 1e-3, 's': 1.0, 'm': 60.0, 'h': 3600.0}
_PART = re.compile(r'(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)')


def duration(text: str) -> float:
    """Seconds in a duration as Go writes it: ``5m``, ``1h30m``, ``0.001s``. ValueError if it is none."""
    if text in ('0', '+0', '-0'):
        return 0.0
    parts = _PART.findall(text)
    if not parts or ''.join(n + u for n, u in parts) != text:
        raise ValueError(f'time: invalid duration "{text}"')
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def get(model: Model, name: str) -> Any:
    """Value of an option: the user's, else the default. KeyError for an unknown one."""
    return model.config[name] if name in model.config else DEFAULTS[name]


def effective(model: Model) -> dict[str, Any]:
    """Every option with its value."""
    return {**DEFAULTS, **model.config}


def update(model: Model, options: Mapping[str, Any], reset: tuple[str, ...]) -> Model:
    """*model* with options set as typed and others put back. Raises Refused for what cannot be."""
    config = dict(model.config)
    for name in reset:
        if name in FIXED:
            raise Refused(f'"{name}" cannot be set')
        config.pop(name, None)
    for name, value in options.items():
        config[name] = _value(model, name, value)
    seed = int(config.get('seed', 0)) if 'seed' in (*options, *reset) else model.seed
    return dataclasses.replace(model, config=config, seed=seed)


def _value(model: Model, name: str, value: Any) -> Any:
    if name in FIXED:
        raise Refused(f'"{name}" cannot be changed')
    default = DEFAULTS.get(name, '')
    value = _typed(name, value, default)
    check = _CHECKS.get(name)
    if check is not None:
        check(model, name, value)
    return value


def _typed(name: str, value: Any, default: Any) -> Any:
    text = str(value).strip()
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        if text.lower() in ('true', 'false', '1', '0', 't', 'f'):
            return text.lower() in ('true', '1', 't')
        raise Refused(f'{name}: expected bool, got string("{text}")')
    if isinstance(default, int):
        if re.fullmatch(r'[+-]?\d+', text):
            return int(text)
        raise Refused(f'{name}: expected number, got string("{text}")')
    return value if isinstance(value, str) else text


def _interval(_model: Model, name: str, value: str) -> None:
    try:
        seconds = duration(value)
    except ValueError as error:
        raise Refused(
            f'invalid update status hook interval in model configuration: {error}'
        ) from None
    if not MIN_INTERVAL <= seconds <= MAX_INTERVAL:
        what = 'less' if seconds < MIN_INTERVAL else 'greater'
        bound = '1s' if seconds < MIN_INTERVAL else '60m'
        raise Refused(f'{name} "{value}" cannot be {what} than {bound}')


def _mode(_model: Model, _name: str, value: str) -> None:
    unknown = sorted(_modes(value) - {_PROMPTS, 'strict'})
    if unknown:
        raise Refused(f'mode(s) "{", ".join(unknown)}" not valid')


def _modes(value: str) -> frozenset[str]:
    return frozenset(word for text in value.split(',') if (word := text.strip()))


_PROMPTS = 'requires-prompts'


def requires_prompts(model: Model) -> bool:
    """Whether a client asks before it removes something."""
    return _PROMPTS in _modes(str(get(model, 'mode')))


def _base(_model: Model, _name: str, value: str) -> None:
    if not value:
        return
    try:
        bases.python_of(bases.parse(value))  # One that nothing could be deployed on.
    except charm_.Invalid as error:
        raise Refused(f'invalid default base "{value}": {error}') from None


def _lsb_release(_model: Model, name: str, value: str) -> None:
    try:
        if value:
            bases.lsb_release(value)
    except charm_.Invalid as error:
        raise Refused(f'invalid {name}: {error}') from None


def _pool(model: Model, _name: str, value: str) -> None:
    if value and value not in POOLS and value not in model.pools:
        raise Refused(f'pool "{value}" not found')


def _space(model: Model, _name: str, value: str) -> None:
    if value and value not in model.spaces:
        raise Refused(f'space "{value}" not found')


_CHECKS: Mapping[str, Callable[[Model, str, Any], None]] = {
    'update-status-hook-interval': _interval,
    'default-base': _base,
    'default-space': _space,
    'lsb-release': _lsb_release,
    'mode': _mode,
    'storage-default-block-source': _pool,
    'storage-default-filesystem-source': _pool,
}


def interval(model: Model) -> float:
    """Seconds between two ``update-status`` of a unit."""
    return duration(str(get(model, 'update-status-hook-interval')))


def default_base(model: Model) -> charm_.Base | None:
    """The base that the model prefers, if it does."""
    text = str(get(model, 'default-base'))
    return bases.parse(text) if text else None


def is_juju_4(model: Model) -> bool:
    """Whether the model keeps to Juju 4's ways instead of 3.6's (source: the release notes of Juju 4.0)."""
    return model.juju_version.startswith('4')
