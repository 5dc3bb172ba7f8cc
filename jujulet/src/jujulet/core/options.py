"""Options of an application: what is in force, what a user may set, and how units learn of a change.

Source: internal/charm/config.go of Juju (texts of its errors), and ``juju config``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any, cast

from .charm import Charm, Option
from .model import Application, Model, Refused, Unit


def effective(charm: Charm, application: Application) -> dict[str, Any]:
    """Every option that is set or has a default: what ``config-get`` shows."""
    out: dict[str, Any] = {}
    for name, option in charm.options.items():
        value = application.options.get(name, option.default)
        if value is not None:
            out[name] = value
    return out


def validated(charm: Charm, options: Mapping[str, Any]) -> dict[str, Any]:
    """*options*, each with its option's type; None for one that is to have its default again.

    Raises:
        Refused: one is unknown, or has a wrong value.
    """
    out: dict[str, Any] = {}
    for name, value in options.items():
        option = charm.options.get(name)
        if option is None:
            raise Refused(f'unknown option "{name}"')
        out[name] = typed(option, value)
    return out


def trusted(charm: Charm, given: dict[str, Any]) -> bool | None:
    """Take Juju's own option ``trust`` out of *given*, as ``--config trust=true`` sets it; None if it is not there.

    Source: ``trustFields`` of apiserver/facades/client/application. Raises Refused.
    """
    if 'trust' in charm.options or 'trust' not in given:
        return None
    value = typed(Option('trust', 'boolean', False), given.pop('trust'))
    return bool(value)


def chosen(options: Mapping[str, Any]) -> dict[str, Any]:
    """*options* without those that have their default: what an application keeps."""
    return {name: value for name, value in options.items() if value is not None}


def typed(option: Option, value: Any) -> Any:
    """One value with the type of its option. A text is read as that type is written; another value must be of it.

    Source: ``ParseSettingsStrings`` (typed on a command line, all texts) and ``ParseSettingsYAML`` (files and
    bundles) of internal/charm/config.go. None is always well: the default. Raises Refused.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return _spelt(option, value)
    fits = {
        'int': isinstance(value, int) and not isinstance(value, bool) and _in_64_bits(value),
        'float': isinstance(value, float) and math.isfinite(value),
        'boolean': isinstance(value, bool),
    }
    if not fits.get(option.type):
        raise _wrong(option, value)
    return value


def _spelt(option: Option, text: str) -> Any:
    found: Any = None
    if option.type == 'string':
        return text
    if option.type == 'secret':
        if text and not text.startswith('secret:'):
            raise _wrong(option, text)
        return text
    if option.type == 'int' and _INT.fullmatch(text):
        found = int(text) if _in_64_bits(int(text)) else None
    elif option.type == 'float' and _FLOAT.fullmatch(text):
        found = float(text) if math.isfinite(float(text)) else None
    elif option.type == 'boolean':
        found = _BOOLEANS.get(text)
    if found is None:
        raise _wrong(option, text)
    return found


_INT = re.compile(r'[+-]?[0-9]{1,20}')
_FLOAT = re.compile(r'[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?')
_BOOLEANS = {
    **dict.fromkeys(('1', 't', 'T', 'true', 'TRUE', 'True'), True),
    **dict.fromkeys(('0', 'f', 'F', 'false', 'FALSE', 'False'), False),
}
"""As Go's strconv reads them. It takes infinity for a float too; Juju's API, which is JSON, then fails on that."""


def _in_64_bits(value: int) -> bool:
    return -(2**63) <= value < 2**63


def _wrong(option: Option, value: Any) -> Refused:
    return Refused(f'option "{option.name}" expected {option.type}, got {_in_go(value)}')


def _in_go(value: Any) -> str:
    """A value as Go's ``%#v`` writes it."""
    if isinstance(value, float):
        return format(value, 'g') if math.isfinite(value) else f'{value:+}'.replace('inf', 'Inf')
    if isinstance(value, list):
        items = ', '.join(_in_go(each) for each in cast('list[Any]', value))
        return f'[]interface {{}}{{{items}}}'
    if isinstance(value, dict):
        pairs = cast('dict[Any, Any]', value).items()
        inside = ', '.join(f'{_in_go(k)}:{_in_go(v)}' for k, v in pairs)
        return f'map[interface {{}}]interface {{}}{{{inside}}}'
    return json.dumps(value, ensure_ascii=False, default=str)


def digest(model: Model, unit: Unit) -> str:
    """Names the state that ``config-changed`` tells of: configuration, trust and the machine's addresses."""
    application = model.applications[unit.application]
    machine = model.machines.get(unit.machine)
    addresses = [(a.space, a.ipv4, a.ipv6) for a in machine.addresses] if machine else []
    state = (
        sorted(effective(model.charms[application.charm], application).items()),
        application.trust,
        addresses,
        sorted(application.bindings.items()),
    )
    return hashlib.sha256(repr(state).encode()).hexdigest()[:16]
