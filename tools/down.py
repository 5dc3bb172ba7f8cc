"""``make down``: remove what ``make up`` made. What was built or downloaded for it is kept, so that it is soon back."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from typing import Any

import yaml

ROOT = pathlib.Path(__file__).resolve().parent.parent
JUJULET = pathlib.Path(sys.executable).with_name('jujulet')


def main() -> int:
    """Remove the models of all our bundles, clouds.yaml and ca.pem, and the controller if no other model is left."""
    said = subprocess.run(
        [str(JUJULET), 'models', '--format', 'yaml'], check=True, stdout=subprocess.PIPE, text=True
    )
    listed: list[dict[str, Any]] = yaml.safe_load(said.stdout)['models']
    models = {str(m['short-name']) for m in listed}
    ours = models & {p.stem for p in (ROOT / 'bundles').glob('*.yaml')}
    for model in sorted(ours):
        subprocess.run(
            [str(JUJULET), 'destroy-model', '--no-prompt', '--force', model], check=True
        )
    for name in ('clouds.yaml', 'ca.pem'):
        (ROOT / name).unlink(missing_ok=True)
    if not models - ours:
        subprocess.run([str(JUJULET), 'controller', 'stop'], check=True)
    print(
        'Kept for the next time: bases and install layers (`jujulet cache prune` removes the layers).'
    )
    return 0


if __name__ == '__main__':
    sys.exit(main())
