"""`juju matrix metrics RUNDIR`: a run as Prometheus' text, printed or served while it goes on."""

from __future__ import annotations

import argparse
import http.server
import pathlib
import sys

from matrix.cli.commands import watch
from matrix.grammar import problem
from matrix.history import journal, journalfile, notes
from matrix.report import metrics, write

HELP = "Print a run in Prometheus' text format (its checks, faults, a histogram of operations), or serve it."


def configure(parser: argparse.ArgumentParser) -> None:
    """Add its arguments."""
    parser.add_argument(
        'run',
        nargs='?',
        type=pathlib.Path,
        metavar='RUNDIR',
        help='a run; without it, the newest in matrix-runs',
    )
    parser.add_argument('-o', '--output', type=pathlib.Path, metavar='FILE', help='write it here')
    parser.add_argument(
        '--serve',
        metavar='[ADDRESS:]PORT',
        help='serve it at /metrics, as far as the run is, until Ctrl-C (on 127.0.0.1)',
    )


def run(call: argparse.Namespace) -> int:
    """Print, write or serve it.

    Raises:
        problem.RefusedError: there is no journal, or no such address.
    """
    path = watch.journal_of(call.run, pathlib.Path('matrix-runs'))
    if call.serve is not None:
        return _serve(path, call.serve)
    if not path.is_file():
        where = problem.Where(str(path.parent), 1)
        raise problem.RefusedError([problem.Problem(where, f'there is no {path.name} here')])
    text = text_of(path)
    if call.output is None:
        print(text, end='')
    else:
        call.output.write_text(text, encoding='utf-8')
    return 0


def text_of(path: pathlib.Path) -> str:
    """The text of a run, as far as its journal goes; of one whose journal is not there yet, no more than its end."""
    if not path.is_file():
        return '# EOF\n'
    read = journalfile.read(path)
    return metrics.render(write.rebuilt(read, str(path.parent)), over=_is_over(read))


def _is_over(read: journal.Journal) -> bool:
    return any(
        isinstance(one.what, journal.Note) and one.what.kind == notes.RUN_END
        for one in read.entries[-3:]
    )


def server(path: pathlib.Path, address: str, port: int) -> http.server.ThreadingHTTPServer:
    """A server of a run's metrics, which reads the run's journal at each request and never touches the run.

    Raises:
        OSError: it cannot listen there.
    """

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name that http.server calls
            if self.path.partition('?')[0] != '/metrics':
                self.send_error(404, 'there is /metrics')
                return
            body = text_of(path).encode()
            self.send_response(200)
            self.send_header('Content-Type', metrics.CONTENT_TYPE)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its parent's name
            return

    return http.server.ThreadingHTTPServer((address, port), Handler)


def place(said: str) -> tuple[str, int]:
    """Address and port of `[ADDRESS:]PORT`.

    Raises:
        problem.RefusedError: it is not that.
    """
    address, _, port = said.rpartition(':')
    if not port.isdecimal() or not 0 <= int(port) <= 65535:
        message = f'{said!r} is no [ADDRESS:]PORT; 9464 is one'
        raise problem.RefusedError([problem.Problem(problem.Where('--serve', 1), message)])
    return address.strip('[]') or '127.0.0.1', int(port)


def _serve(path: pathlib.Path, said: str) -> int:
    address, port = place(said)
    try:
        serving = server(path, address, port)
    except OSError as error:
        message = f'nothing can listen at {address}:{port}: {error.strerror or error}'
        where = problem.Where('--serve', 1)
        raise problem.RefusedError([problem.Problem(where, message)]) from error
    with serving:
        print(f'http://{address}:{serving.server_address[1]}/metrics', file=sys.stderr, flush=True)
        try:
            serving.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0
