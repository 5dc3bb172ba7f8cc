"""Run on a machine: threads that ask an Enforcer of oslo.policy, as those of a service do. Prints how many are refused.

``enforcers.py made|changed [GUARD]``: `made`: who finds none makes it and registers its rules; `changed`: the file of
rules changes while they ask. All that is asked is allowed. *GUARD* is a script to run first, as Apache does.
"""

# pyright: basic, reportMissingImports=false
from __future__ import annotations

import importlib
import pathlib
import sys
import tempfile
import threading
import time

from oslo_config import cfg
from oslo_policy import policy

THREADS, RULES, CHANGES = 8, 400, 150
DEFAULTS = [policy.RuleDefault(f'rule{n}', '@') for n in range(RULES)]


class Service:
    """A service whose Enforcer is made at the first request."""

    def __init__(self, file: pathlib.Path):
        self.conf = cfg.ConfigOpts()
        self.conf([], default_config_files=[])
        self.file, self.enforcer = file, None
        self.answers: list[bool] = []

    def request(self):
        try:
            allowed = self.allowed()
        except Exception as e:
            print(repr(e), file=sys.stderr)
            allowed = False
        self.answers.append(allowed)

    def allowed(self) -> bool:
        if self.enforcer is None:
            self.enforcer = policy.Enforcer(self.conf, policy_file=str(self.file))
            enforcer = self.enforcer
            for rule in DEFAULTS:
                enforcer.register_default(rule)
                time.sleep(0.0002)
        return self.enforcer.authorize(f'rule{RULES - 1}', {}, {'roles': []})


def change(file: pathlib.Path, number: int) -> None:
    new = file.with_suffix('.new')
    rules = (f'"rule{n}": "role:a{number} or @"\n' for n in range(RULES // 2))
    new.write_text(''.join(rules), encoding='utf-8')
    new.replace(file)


def main(which: str, *guards: str) -> None:
    for guard in guards:
        sys.path.insert(0, str(pathlib.Path(guard).parent))
        importlib.import_module(pathlib.Path(guard).stem)
    sys.setswitchinterval(1e-5)
    with tempfile.TemporaryDirectory() as folder:
        service = Service(pathlib.Path(folder, 'policy.yaml'))
        change(service.file, 0)
        if which == 'changed':
            service.request()
        ends = threading.Event()
        together = threading.Barrier(THREADS)

        def client():
            together.wait()
            service.request()
            while which == 'changed' and not ends.is_set():
                service.request()

        threads = [threading.Thread(target=client) for _ in range(THREADS)]
        for each in threads:
            each.start()
        if which == 'changed':
            for number in range(CHANGES):
                time.sleep(0.03)
                change(service.file, number)
        ends.set()
        for each in threads:
            each.join()
    print(service.answers.count(False), len(service.answers))


main(*sys.argv[1:])
