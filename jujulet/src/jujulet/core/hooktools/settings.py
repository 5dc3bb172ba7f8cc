"""Maps of strings as charms hand them over: YAML or JSON, on stdin or in a file."""

from __future__ import annotations

import json
from typing import Any, cast

import yaml

from .. import formats, yamltext
from .tool import Failure

MOST_YAML = 4 * 1024 * 1024
"""Letters of YAML at once: reading it keeps all others waiting. JSON may be as long as a message."""
_LOADER: Any = getattr(yaml, 'CSafeLoader', yaml.SafeLoader)


def read(raw: bytes) -> dict[str, str]:
    """A map of strings; scalars of other types become their text, null the empty string.

    Raises Failure for anything else.
    """
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise Failure('yaml: invalid leading UTF-8 octet') from None
    if not text.strip():
        return {}
    return _from_json(text) if text.lstrip().startswith('{') else _from_yaml(text)


def _from_json(text: str) -> dict[str, str]:
    try:
        found: Any = json.loads(text)
    except (ValueError, RecursionError):
        return _from_yaml(text)
    items = cast('dict[str, Any]', found).items()
    return {formats.clean(key): formats.clean(_text(value)) for key, value in items}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ''
    if isinstance(value, (dict, list)):
        raise _not_text('!!map' if isinstance(value, dict) else '!!seq')
    return json.dumps(value)


def _from_yaml(text: str) -> dict[str, str]:
    if len(text) > MOST_YAML:
        raise Failure(f'yaml: more than {MOST_YAML >> 20} MiB at once: hand it over as JSON')
    try:
        yamltext.shallow(text)
        root = cast('Any', yaml).compose(text, Loader=_LOADER)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        first = str(error).partition('\n')[0]
        raise Failure(f'yaml: {first}') from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise Failure('yaml: unmarshal errors:\n  cannot unmarshal into map[string]string')
    return {_scalar(key): _scalar(value) for key, value in root.value}


def _scalar(node: Any) -> str:
    if not isinstance(node, yaml.ScalarNode):
        raise _not_text('!!map' if isinstance(node, yaml.MappingNode) else '!!seq')
    return '' if node.tag == 'tag:yaml.org,2002:null' else cast('str', node.value)


def _not_text(kind: str) -> Failure:
    return Failure(f'yaml: unmarshal errors:\n  cannot unmarshal {kind} into string')
