"""What a hook costs in which nothing has changed: the unit is as it should be, and the charm finds that out."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

from . import controlplane, local
from .figure import Figure, spread

HOOKS = 10
_TIMED = """
set -e
once() { a=$(date +%s%N); "$@" >/dev/null 2>&1; b=$(date +%s%N); echo "$name $(( (b - a) / 10000 ))"; }
python() { venv/bin/python -c 'import ops'; }
export JUJU_DISPATCH_PATH=hooks/update-status
./dispatch
for _ in HOOKS; do
    name=hook; once ./dispatch
    name=import; once python
done
"""


def unchanged_hook() -> Iterator[Figure]:
    """``update-status`` on units of the four charms, beyond ``import ops`` by the same Python."""
    with local.kept():
        juju = local.model('unchanged')
        local.run('model-config', '--model', 'unchanged', 'update-status-hook-interval=60m')
        bundle = controlplane.write_bundle(controlplane.FOUR)
        local.run('deploy', '--model', 'unchanged', str(bundle))
        local.seconds_until_active(juju, *controlplane.FOUR)
        script = _TIMED.replace('HOOKS', ' '.join(map(str, range(HOOKS))))
        for app in controlplane.FOUR:
            said = juju.exec(script, unit=f'{app}/0').stdout.split()
            times = [int(number) / 100 for number in said[1::2]]
            hooks, imports = times[::2], times[1::2]
            yield Figure(
                f'{app}: a hook in which nothing changed, beyond import ops',
                statistics.median(hooks) - statistics.median(imports), 'ms', 300,
                how=f'{spread(hooks, digits=0)} ms; import ops {statistics.median(imports):.0f} ms',
            )  # fmt: skip
        local.run('destroy-model', '--no-prompt', '--force', 'unchanged')
