"""For the tests of charms: a machine that is only remembered.

::

    @pytest.fixture
    def machine(monkeypatch):
        fake = charmkit.testing.FakeMachine()
        monkeypatch.setattr(charmkit.Charm, 'machine', fake)
        return fake
"""

from __future__ import annotations

import dataclasses

from . import host, state


@dataclasses.dataclass
class FakeMachine:
    """Does as it is told, and remembers: :attr:`seen` is its state, :attr:`steps` its history."""

    seen: host.Observed = dataclasses.field(default_factory=host.Observed)
    steps: list[str] = dataclasses.field(default_factory=list[str])
    desired: host.Host = dataclasses.field(default_factory=host.Host)
    """What was last wanted."""
    base: str = 'debian@12'
    cpus: int = 2
    memory_mib: int = 4096
    failing: frozenset[str] = frozenset()
    """Services that will not start."""
    version: str = '1.0-1'
    """The version that every package comes in."""

    def facts(self) -> state.Facts:
        """What was set."""
        return state.Facts(base=self.base, cpus=self.cpus, memory_mib=self.memory_mib)

    def unit_secret(self, unit: str) -> str:
        """The same for a unit every time."""
        return f'unit-secret-of-{unit}'

    def observe(self, desired: host.Host) -> host.Observed:
        """What has been done so far."""
        self.desired = desired
        return self.seen

    def carry_out(self, step: host.Step, desired: host.Host) -> bool:
        """Remember *step*, and behave as if it worked unless it is to fail."""
        self.steps.append(str(step))
        if step.target in self.failing:
            return False
        self.seen = after(step, desired, self.seen, self.version)
        return True

    def file(self, path: str) -> str:
        """The content last wanted at *path*; raises KeyError when no such file was wanted."""
        for f in self.desired.files:
            if f.path == path:
                return f.content
        raise KeyError(path)

    def service(self, name: str) -> str:
        """The state last wanted of a service; raises KeyError when nothing was."""
        return {s.name: s.state for s in self.desired.services}[name]


def after(
    step: host.Step, desired: host.Host, seen: host.Observed, version: str = '1.0-1'
) -> host.Observed:
    """The state of a perfect machine in state *seen* once *step* was done."""
    target = step.target
    match step.verb:
        case 'mask':
            return dataclasses.replace(seen, masked=seen.masked | {target})
        case 'unmask':
            return dataclasses.replace(seen, masked=seen.masked - {target})
        case 'install':
            come = dict.fromkeys(target.split(), version)
            return dataclasses.replace(seen, packages={**seen.packages, **come})
        case 'make' | 'write' | 'link':
            things = (*desired.directories, *desired.files, *desired.links)
            stamp = next(x.stamp for x in things if x.path == target)
            return dataclasses.replace(seen, paths={**seen.paths, target: stamp})
        case 'remove':
            left = {path: s for path, s in seen.paths.items() if path != target}
            return dataclasses.replace(seen, paths=left)
        case 'run':
            key = next(c.key for c in desired.commands if c.name == target)
            return dataclasses.replace(seen, commands={**seen.commands, target: key})
        case 'stop':
            return dataclasses.replace(seen, active=seen.active - {target})
        case 'start' | 'restart' | 'reload' | 'recycle':
            parts = [s.name for s in desired.services if target in (s.name, s.part_of)]
            fresh = {name: desired.config_digest(name) for name in parts}
            active = seen.active | frozenset(() if step.verb == 'recycle' else (target,))
            return dataclasses.replace(
                seen, active=active, started_with={**seen.started_with, **fresh}
            )
