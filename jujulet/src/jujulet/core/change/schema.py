"""Parameters of an action against its JSON schema: what charms use of it. Source: reference 1.4 and 4.10."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, cast

from ..charm import Action
from ..model import Refused


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


_TYPES: Mapping[str, Callable[[Any], bool]] = {
    'string': lambda v: isinstance(v, str),
    'boolean': lambda v: isinstance(v, bool),
    'integer': lambda v: _is_number(v) and float(v).is_integer(),
    'number': _is_number,
    'array': lambda v: isinstance(v, (list, tuple)),
    'object': lambda v: isinstance(v, Mapping),
    'null': lambda v: v is None,
}


def checked(action: Action, given: Mapping[str, Any], *, strict: bool) -> dict[str, Any]:
    """Parameters with the schema's defaults put in. Raises Refused for what the schema forbids.

    *strict*: as in Juju 4, parameters that the schema does not name are refused.
    """
    out: dict[str, Any] = {
        name: schema['default']
        for name, schema in action.parameters.items()
        if isinstance(schema, Mapping) and 'default' in schema
    }
    out |= given
    for name in action.required:
        if name not in out:
            raise Refused(
                f'validation failed: (root) : "{name}" property is missing and required, given {_short(out)}'
            )
    for name, value in given.items():
        schema = action.parameters.get(name)
        if isinstance(schema, Mapping):
            _check(name, value, cast('Mapping[str, Any]', schema))
        elif strict or not action.additional_properties:
            raise Refused(
                f'validation failed: (root) : additional property "{name}" is not allowed, given {_short(out)}'
            )
    return out


def _short(value: Mapping[str, Any]) -> str:
    return '{' + ','.join(f'"{k}":…' for k in value) + '}'


def _check(name: str, value: Any, schema: Mapping[str, Any]) -> None:
    why = f'validation failed: (root).{name} : '
    kinds = schema.get('type')
    names: list[str] = [kinds] if isinstance(kinds, str) else list(kinds or ())
    known = [k for k in names if k in _TYPES]
    if known and not any(_TYPES[k](value) for k in known):
        raise Refused(f'{why}must be of type {" or ".join(names)}, given {value!r}')
    if 'enum' in schema and value not in schema['enum']:
        raise Refused(f'{why}must match one of the enum values {schema["enum"]}, given {value!r}')
    if _is_number(value):
        if 'minimum' in schema and value < schema['minimum']:
            raise Refused(f'{why}must be greater than or equal to {schema["minimum"]}')
        if 'maximum' in schema and value > schema['maximum']:
            raise Refused(f'{why}must be less than or equal to {schema["maximum"]}')
