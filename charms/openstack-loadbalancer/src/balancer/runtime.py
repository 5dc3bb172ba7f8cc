"""The edge to a running haproxy: its master's socket, and through it every worker."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Mapping

from charmkit import run

from . import rotation, scripts, stats

MASTER = '/run/haproxy-master.sock'
_LARGEST_ANSWER = 64 * 2**20


class UnreachableError(Exception):
    """haproxy does not run, or does not answer on its master's socket."""


def ask(command: str, path: str = MASTER, timeout_s: float = 5.0) -> str:
    """The master's answer to *command*, which may be addressed to a worker (``@!1234 …``).

    Raises:
        UnreachableError: when there is no master, or it does not answer in time.
    """
    out = bytearray()
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as s:
            s.settimeout(timeout_s)
            s.connect(path)
            s.sendall(command.encode() + b'\n')
            # The master answers and waits for more: only a half-close ends the conversation.
            s.shutdown(socket.SHUT_WR)
            while chunk := s.recv(65536):
                out += chunk
                if len(out) > _LARGEST_ANSWER:
                    raise UnreachableError('haproxy said more than can be')
    except OSError as e:
        raise UnreachableError(f'{path}: {e}') from e
    return out.decode(errors='replace')


def processes() -> tuple[stats.Process, ...]:
    """The workers that run. Raises UnreachableError."""
    return stats.processes(ask('show proc'))


def workers() -> tuple[rotation.Worker, ...]:
    """Every worker, with the state of its servers. Raises UnreachableError.

    A worker that ends meanwhile has finished all that it had begun, and is left out.
    """
    out: list[rotation.Worker] = []
    for process in processes():
        stat = ask(f'@!{process.pid} show stat')
        state = ask(f'@!{process.pid} show servers state')
        if stat.startswith('#'):
            out.append(stats.worker(process, stat, state))
    return tuple(out)


def tell(pid: int, commands: tuple[str, ...]) -> None:
    """Give *commands* to one worker, several at a time. Raises UnreachableError."""
    for start in range(0, len(commands), 50):
        ask(f'@!{pid} ' + '; '.join(commands[start : start + 50]))


def save_states() -> None:
    """Keep the state of all servers for the next start, as each reload does by itself.

    Raises:
        UnreachableError: when haproxy does not answer.
    """
    try:
        run.program(scripts.SAVE_PATH)
    except run.CommandError as e:
        raise UnreachableError(str(e)) from e


def await_worker(mark: str, timeout_s: float = 10.0) -> None:
    """Wait until the worker that has the configuration of this *mark* answers.

    A reload only begins when it is asked for: what the old worker is told meanwhile, the new one does not know.

    Raises:
        UnreachableError: when none does in time: the new configuration could not be taken up.
    """
    end = time.monotonic() + timeout_s
    while True:
        try:
            current = [p.pid for p in processes() if p.current]
            if any(f'\ndescription: {mark}\n' in ask(f'@!{pid} show info') for pid in current):
                return
        except UnreachableError:
            if time.monotonic() > end:
                raise
        if time.monotonic() > end:
            raise UnreachableError('haproxy has no worker with its configuration')
        time.sleep(0.05)


def statistics(
    members: Mapping[str, str], me: str, timeout_s: float = 5.0
) -> tuple[dict[str, str], tuple[str, ...]]:
    """``show stat`` of every unit, by unit, and who could not be asked and why.

    *members* are host and port of the other units' metrics; *me* is asked through its socket.
    """
    found: dict[str, str] = {}
    missing: list[str] = []
    try:
        found[me] = ask('@1 show stat')
    except UnreachableError as e:
        missing.append(f'{me}: {e}')
    for unit, where in members.items():
        host, _, port = where.rpartition(':')
        try:
            talk = http.client.HTTPConnection(host.strip('[]'), int(port), timeout=timeout_s)
            talk.request('GET', '/stats;csv')
            got = talk.getresponse()
            body = got.read(_LARGEST_ANSWER).decode(errors='replace')
        except (OSError, ValueError, http.client.HTTPException) as e:
            missing.append(f'{unit}: {e}')
            continue
        if got.status == 200:
            found[unit] = body
        else:
            missing.append(f'{unit}: status {got.status}')
    return found, tuple(missing)
