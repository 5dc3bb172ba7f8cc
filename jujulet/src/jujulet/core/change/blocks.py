"""Sets of commands are disabled and enabled. Source: state/block.go of Juju 3.6."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ..model import Model, Refused, drop, put
from ..requests import SwitchBlock


def switch(request: SwitchBlock, model: Model, _now: float) -> tuple[Model, dict[str, Any]]:
    """``juju disable-command`` and ``juju enable-command``."""
    kind = request.kind
    if request.on == (kind in model.blocks):
        raise Refused(f'block {kind} is already {"ON" if request.on else "OFF"}')
    blocks = put(model.blocks, kind, request.message) if request.on else drop(model.blocks, kind)
    return dataclasses.replace(model, blocks=blocks), {}


VERBS: Mapping[type, Any] = {SwitchBlock: switch}
