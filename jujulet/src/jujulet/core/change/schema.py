"""Parameters of an action against its JSON schema. Source: core/actions and charm/actions.go of Juju 3.6."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

import jsonschema
import referencing
import referencing.exceptions

from ..charm import Action
from ..model import Refused

Schema = Mapping[str, Any]


def validated(action: Action, given: Mapping[str, Any], *, strict: bool) -> dict[str, Any]:
    """Parameters with the schema's defaults put in. Raises Refused for what the schema forbids.

    *strict*: as in Juju 4, parameters that the schema does not name are refused.
    """
    out = _defaults(action.parameters, given)
    schema = {
        'type': 'object',
        'properties': dict(action.parameters),
        'required': list(action.required),
        'additionalProperties': action.additional_properties and not strict,
    }
    where, why = _error(action.name, schema, out)
    if why:
        raise Refused(f'validation failed: {where} : {why}')
    return out


def _error(name: str, schema: Schema, value: Any) -> tuple[str, str]:
    """Where a value is wrong, and how; empty texts if it is not."""
    lib = cast('Any', jsonschema)  # Its types are incomplete.
    registry: Any = cast(
        'Any', referencing
    ).Registry()  # Empty: a schema must not make us fetch anything.
    validator = lib.Draft7Validator(schema, registry=registry)
    try:
        error = lib.exceptions.best_match(validator.iter_errors(value))
    except (
        lib.exceptions.SchemaError,
        lib.exceptions.UnknownType,
        referencing.exceptions.Unresolvable,
    ) as bad:
        raise Refused(f'action "{name}" has an invalid schema: {bad}') from None
    if error is None:
        return '', ''
    return '.'.join(['(root)', *(str(part) for part in error.absolute_path)]), _said(error)


def _said(error: Any) -> str:
    """What is wrong, in the words of Juju's validator where we know them (source: issue 21295 of juju/juju)."""
    given = json.dumps(error.instance, separators=(',', ':'), default=str)
    wanted = error.validator_value
    if error.validator == 'type':
        types = wanted if isinstance(wanted, str) else ' or '.join(map(str, wanted))
        return f'must be of type {types}, given {given}'
    if error.validator == 'required':
        missing = next((n for n in wanted if n not in error.instance), '')
        return f'"{missing}" property is missing and required, given {given}'
    return str(error.message)


def _defaults(properties: Schema, given: Mapping[str, Any]) -> dict[str, Any]:
    out = dict(given)
    for name, schema in properties.items():
        if not isinstance(schema, Mapping):
            continue
        found = cast('Schema', schema)
        inner = found.get('properties')
        if name not in out and 'default' in found:
            out[name] = found['default']
        if isinstance(inner, Mapping) and isinstance(out.get(name), Mapping):
            out[name] = _defaults(cast('Schema', inner), out[name])
    return out
