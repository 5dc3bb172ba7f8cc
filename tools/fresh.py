"""``make test-fresh``: the two commands on machines that have nothing but git and make. Needs root.

A root file system of each base is made by mmdebstrap from the archive that this host's apt uses, run as a container of
its own (its own processes, network and podman), and given a clean clone of the current commit. What this host's apt and
pip are told of mirrors, proxies and certificates goes along; nothing else does. What a developer's machine happens to
have hides nothing there.

All is removed at the end, also after Ctrl-C; what an earlier run could not remove, the next one does. The logs stay in
``build/fresh``.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Generator, Sequence

from jujulet.core import charm
from jujulet.machines import aptsources, commands, images, protocol, runtimes

from . import environment_options

ROOT = pathlib.Path(__file__).resolve().parent.parent
FOLDER = ROOT / 'build/fresh'
BASES = ('debian@12', 'debian@13')
PACKAGES = ('git', 'make')
CLONE = '/root/rambla'
REAPS = 'trap "exit 0" TERM; sleep infinity & wait'
"""Process 1. A shell, as it collects the children of others that have ended; systemd is not among git and make."""
LABEL = 'rambla.fresh'
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

CNI = """\
tools/bootstrap
case $(podman --version) in *' 4.'*) ;; *) echo "$(podman --version) knows no CNI: nothing to try"; exit 0 ;; esac
apt-get install -q -y --no-install-recommends containernetworking-plugins
printf cni >/var/lib/containers/storage/defaultNetworkBackend
[ "$(podman info --format '{{.Host.NetworkBackend}}')" = cni ]
.venv/bin/jujulet image debian@12
exec .venv/bin/pytest -q jujulet/tests/functional/test_podman_machines.py
"""
COMMANDS = {
    'up': 'make up && make down',
    'test': 'make test',
    'cni': CNI,
}
"""What can be run there, in order. ``cni``: machines on the older of podman's two network backends, where it has it."""


@dataclasses.dataclass
class Machine:
    """One base's root file system, container and log."""

    base: str

    def __post_init__(self) -> None:
        self.folder = FOLDER / self.base.replace('@', '-')
        self.root = self.folder / 'root'
        self.log = FOLDER / f'{self.folder.name}.log'
        self.name = f'rambla-fresh-{self.folder.name}'

    def make(self) -> None:
        """Build the root file system, and start it.

        Raises:
            MachineError: this host's apt has no archive of that base.
            CalledProcessError: a program failed; the log says why.
        """
        name, _, channel = self.base.partition('@')
        release = charm.Base(name, channel)
        sources = images.sources(release)
        self.folder.mkdir(parents=True)
        listed, options = self.folder / 'base.sources', self.folder / 'apt.conf'
        listed.write_text(aptsources.render(sources))
        dump = subprocess.run(['apt-config', 'dump'], capture_output=True, text=True, check=True)
        kept = aptsources.options(dump.stdout, sorted(os.environ.items()))
        options.touch(mode=0o600)
        options.write_text(''.join(f'{line}\n' for line in kept))
        self.run(
            *('unshare', '--mount', 'mmdebstrap', '--mode=root', '--format=directory'),
            *('--variant=minbase', '--skip=output/dev', f'--include={",".join(PACKAGES)}'),
            *(f'--aptopt={options}', aptsources.codename(release)),
            *(str(self.root), str(listed)),
        )
        self.root.chmod(0o755)
        environment_options.keyrings(self.root, aptsources.keyrings(sources))
        environment_options.configuration(self.root, dict(os.environ))
        self.run('git', 'clone', '--quiet', '--no-hardlinks', str(ROOT), f'{self.root}{CLONE}')
        self.start()

    def start(self) -> None:
        """Run it: a container that may do what a machine may."""
        host = runtimes.host('runc')
        # In the default network its own podman would have the same one, and its containers no answers.
        self.run('podman', 'network', 'create', f'--label={LABEL}=yes', self.name)
        self.run(
            *(*commands.podman(host), 'run', '--detach', '--privileged', f'--name={self.name}'),
            *(f'--hostname={self.folder.name}', f'--label={LABEL}=yes', '--systemd=false'),
            f'--network={self.name}',
            *('--log-driver=none', '--pids-limit=-1', '--shm-size=512m'),
            f'--ulimit=nofile={host.files}:{host.files}',
            f'--ulimit=nproc={host.processes}:{host.processes}',
            *('--rootfs', str(self.root), '/bin/bash', '-c', REAPS),
        )

    def do(self, script: str) -> int:
        """Run a script in the clone, its output shown and kept: its exit code."""
        text = f'set -euo pipefail\nset -a; . {environment_options.ENVIRONMENT}; set +a\ncd {CLONE}\n{script}'
        return self.run('podman', 'exec', self.name, '/bin/bash', '-c', text, check=False)

    def run(self, *argv: str, check: bool = True) -> int:
        """Run a program; each line that it says is shown behind the base's name, and goes to the log."""
        with (
            self.log.open('a') as log,
            subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                text=True, errors='replace',
                start_new_session=True,  # Ctrl-C is ours: what is begun is removed, not left half done.
            ) as process,
        ):  # fmt: skip
            try:
                for line in process.stdout or ():
                    log.write(line)
                    log.flush()
                    print(f'{self.base} | {line}', end='', flush=True)
            except BaseException:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                raise
        if check and process.returncode:
            raise subprocess.CalledProcessError(process.returncode, argv)
        return process.returncode

    def remove(self) -> None:
        """Container, root file system and all that ran in it; idempotent."""
        asked = ['podman', 'inspect', '--format', '{{.Id}}', self.name]
        id_ = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
        if id_:
            subprocess.run(
                ['podman', 'rm', '--force', '--time=0', self.name], capture_output=True, check=True
            )
            _empty_cgroups(id_)
        network = ('podman', 'network')
        if not subprocess.run([*network, 'exists', self.name], check=False).returncode:
            subprocess.run([*network, 'rm', self.name], capture_output=True, check=True)
        if self.folder.exists():
            subprocess.run(
                ['rm', '-rf', '--one-file-system', self.folder], check=True, start_new_session=True
            )


def _empty_cgroups(container: str) -> None:
    """Remove the control groups that machines within a container leave in it: nobody is in them any more."""
    for top in pathlib.Path('/sys/fs/cgroup').glob(f'**/libpod-{container}*'):
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)


@dataclasses.dataclass(frozen=True)
class Done:
    """What came of one base."""

    base: str
    took: tuple[tuple[str, float], ...] = ()
    """Each command that passed, and seconds."""
    failed: str = ''
    """What failed; empty: nothing."""

    def line(self) -> str:
        """The one line that is said of it at the end."""
        passed = ', '.join(f'{name} {seconds:.0f} s' for name, seconds in self.took)
        if self.failed:
            return f'{self.base}: FAILED: {self.failed}{f" (passed: {passed})" if passed else ""}'
        return f'{self.base}: passed: {passed}'


def base(machine: Machine, names: Sequence[str]) -> Done:
    """Make a machine, run the commands there until one fails, and remove it."""
    took: list[tuple[str, float]] = []
    machine.log.unlink(missing_ok=True)
    machine.log.touch(mode=0o600)
    try:
        say(f'{machine.base}: making a machine that has {" and ".join(PACKAGES)} alone')
        machine.make()
        for name in names:
            say(f'{machine.base}: {name}')
            began = time.monotonic()
            code = machine.do(COMMANDS[name])
            if code:
                return Done(
                    machine.base, tuple(took), f'{name}, exit code {code}: {_here(machine.log)}'
                )
            took.append((name, time.monotonic() - began))
    except (protocol.MachineError, OSError) as error:
        return Done(machine.base, tuple(took), str(error))
    except subprocess.CalledProcessError as error:
        return Done(
            machine.base, tuple(took), f'{shlex.join(error.cmd[:4])} …: {_here(machine.log)}'
        )
    finally:
        say(f'{machine.base}: removing the machine')
        machine.remove()
    return Done(machine.base, tuple(took))


def _here(path: pathlib.Path) -> str:
    return os.path.relpath(path)


def say(text: str) -> None:
    """A line that stands out."""
    print(f'\033[1m==>\033[0m {text}' if sys.stdout.isatty() else f'==> {text}', flush=True)


@contextlib.contextmanager
def alone() -> Generator[None]:
    """Nobody else does this here meanwhile; and what an earlier run left is gone.

    Raises:
        BlockingIOError: somebody does.
    """
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for left in BASES:
            Machine(left).remove()
        yield


def main(argv: Sequence[str]) -> int:
    """Exit code 0: all passed; 1: something failed; 2: wrong words; 130: interrupted."""
    parser = argparse.ArgumentParser(prog='make test-fresh', description=__doc__)
    parser.add_argument('--base', action='append', choices=BASES, help='both, unless given')
    parser.add_argument(
        '--command', action='append', choices=[*COMMANDS], help='all, unless given'
    )
    wanted = parser.parse_args(argv)
    names = [name for name in COMMANDS if name in (wanted.command or COMMANDS)]
    for number in ENDS:
        signal.signal(number, interrupted)
    if subprocess.run(
        ['git', '-C', ROOT, 'status', '--porcelain'], capture_output=True, check=True
    ).stdout:
        say('what is not committed is not in the clone')
    done: list[Done] = []
    try:
        with alone():
            done += (base(Machine(name), names) for name in wanted.base or BASES)
    except BlockingIOError:
        print(
            f'ERROR another `make test-fresh` runs here: it holds {_here(FOLDER)}/lock',
            file=sys.stderr,
        )
        return 1
    except KeyboardInterrupt:
        print('\nStopped; the machine was removed.', file=sys.stderr)
        return 130
    print()
    for each in done:
        print(each.line())
    return int(any(each.failed for each in done))


def interrupted(_number: int, _frame: object) -> None:
    """Stop, once: who asks again is as impatient as the machine is not yet removed."""
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == '__main__':
    if shutil.which('mmdebstrap') is None:
        sys.exit('ERROR mmdebstrap is missing: make ready')
    sys.exit(main(sys.argv[1:]))
