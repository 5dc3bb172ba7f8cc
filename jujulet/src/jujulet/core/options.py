"""Options of an application: what is in force, what a user may set, and how units learn of a change.

Source: charm/config.go of Juju 3.6 (texts of its errors), and ``juju config``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

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
    """*options* as typed, each with its option's type. Raises Refused for an unknown one or a wrong value."""
    out: dict[str, Any] = {}
    for name, value in options.items():
        option = charm.options.get(name)
        if option is None:
            raise Refused(f'unknown option "{name}"')
        out[name] = typed(option, value)
    return out


def typed(option: Option, value: Any) -> Any:
    """One value with the type of its option. Raises Refused."""
    if option.type in ('string', 'secret'):
        return _text(option, value)
    if option.type == 'boolean':
        return _boolean(option, value)
    if isinstance(value, bool):
        raise _wrong(option, value)
    try:
        if option.type == 'int':
            if isinstance(value, float) and not value.is_integer():
                raise _wrong(option, value)
            return int(value)
        return float(value)
    except (TypeError, ValueError):
        raise _wrong(option, value) from None


def _text(option: Option, value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (dict, list)):
        raise _wrong(option, value)
    text = '' if value is None else str(value)
    if option.type == 'secret' and text and not text.startswith('secret:'):
        raise Refused(f'option "{option.name}" expected secret, got {json.dumps(text)}')
    return text


def _boolean(option: Option, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    text = str(value).strip()
    if text in ('1', 't', 'T', 'true', 'TRUE', 'True'):
        return True
    if text in ('0', 'f', 'F', 'false', 'FALSE', 'False'):
        return False
    raise _wrong(option, value)


def _wrong(option: Option, value: Any) -> Refused:
    return Refused(
        f'option "{option.name}" expected {option.type}, got {json.dumps(value, default=str)}'
    )


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
