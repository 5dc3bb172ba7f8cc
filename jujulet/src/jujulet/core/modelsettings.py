"""Options of a model as ``juju model-config`` shows them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import model as model_
from . import modelconfig, table


def shown(m: model_.Model) -> dict[str, Any]:
    """``juju model-config``: every option with its value and where it comes from."""
    fixed = {'agent-version': m.juju_version, 'name': m.name, 'type': 'local', 'uuid': m.uuid}
    values = {**modelconfig.effective(m), **fixed}
    return {
        name: {
            'Value': values[name],
            'Source': 'model' if name in m.config or name in fixed else 'default',
        }
        for name in sorted(values)
        if values[name] is not None
    }


def as_table(values: Mapping[str, Any], colour: bool) -> str:
    """``juju model-config`` for people."""
    rows = [(name, v['Source'], _briefly(name, v['Value'])) for name, v in sorted(values.items())]
    return table.render(('Attribute', 'From', 'Value'), rows, colour=colour)


_LONG = 'cloudinit-userdata'


def _briefly(name: str, value: Any) -> str:
    """A table names what is long (source: cmd/juju/model/configcommand.go, ``getConfig``)."""
    if name == _LONG and value:
        return f'<value set, see juju model-config {_LONG}>'
    return _text(value)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
