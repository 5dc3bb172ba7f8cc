"""What a user asked of a run. Pure data."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Literal

SHRINK_FOR = 15 * 60.0
"""Seconds that a failed run may spend on finding the smallest plan that still fails."""


@dataclasses.dataclass(frozen=True)
class Options:
    """Every decision of the command line and of the bundle's tests/test.yaml; names as their flags.

    `ha` is None where it is to be found out from the model. `chaos_plan` stands for every chaos task.
    `with_chaos` leaves out tests without any; `control`: the plan has no event on purpose.
    `replace` names another charm (its path) for an application, that `refresh` goes to; `seeds`: so many runs.
    `words` is the command line again, to be kept with the run. `usage`: look what the machines use after the faults.
    """

    path: pathlib.Path = pathlib.Path()
    suites: tuple[pathlib.Path, ...] = ()
    controller: str | None = None
    model: str | None = None
    model_prefix: str = 'matrix'
    keep_models: bool = False
    cloud: str | None = None
    log_level: str = 'INFO'
    log_name: tuple[str, ...] = ()
    log_filter: tuple[str, ...] = ()
    output_dir: pathlib.Path = pathlib.Path()
    skin: Literal['tui', 'raw'] = 'raw'
    xunit: pathlib.Path | None = None
    fail_fast: bool = False
    interval: float = 5.0
    no_default_suite: bool = False
    no_bundle_suite: bool = False
    test_pattern: tuple[str, ...] = ()
    chaos_plan: pathlib.Path | None = None
    chaos_num: int = 5
    chaos_output: pathlib.Path | None = None
    ha: bool | None = None
    strict_compat: bool = False
    seed: int | None = None
    unknown_is: Literal['pass', 'fail'] = 'fail'
    rate: float | None = None
    shrink_for: float | None = SHRINK_FOR
    shrink_bundle: bool = False
    overlay: tuple[pathlib.Path, ...] = ()
    spaces: pathlib.Path | None = None
    model_config: tuple[tuple[str, str], ...] = ()
    deadline: float = 3600.0
    with_chaos: bool = False
    control: bool = False
    replace: tuple[tuple[str, str], ...] = ()
    seeds: int | None = None
    words: tuple[str, ...] = ()
    usage: bool = False
