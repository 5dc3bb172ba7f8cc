"""Which tests in containers stay together when `make test` runs two at a time: those that share a machine.

What a session's fixture starts, a second worker would start again; and jujulet's and matrix's integration tests share
what is one of its kind on this machine: networks, controllers.

pytest-xdist's own marker of groups does nothing with pytest 9.2: it writes where that does not read (xdist 3.8.0).
"""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling  # pyright: ignore[reportMissingTypeStubs]

ROOT = pathlib.Path(__file__).parents[1]
PARTS = 'parts'


def of(nodeid: str) -> str:
    """The group of a test: its file, its folder where a conftest.py has what is shared, or PARTS."""
    path = pathlib.PurePosixPath(nodeid.partition('::')[0])
    if path.parent.name == 'integration':
        return PARTS
    return str(path.parent if (ROOT / path.parent / 'conftest.py').exists() else path)


class ByGroup(LoadScopeScheduling):
    """A group goes to one worker."""

    def _split_scope(self, nodeid: str) -> str:
        return of(nodeid)


class Groups:
    """What pytest-xdist asks: see its hook ``pytest_xdist_make_scheduler``."""

    @pytest.hookimpl
    def pytest_xdist_make_scheduler(self, config: pytest.Config, log: Any) -> Any:
        """Groups for ``--dist loadscope``; None, for what it does by itself."""
        return ByGroup(config, log) if config.getoption('dist') == 'loadscope' else None
