"""Load a WSGI application as Apache would, and ask it once: ``trial_wsgi.py SCRIPT PATH HOME``.

Installed as it is.

Run as the service's user before its processes take up a new configuration. Ends with 0 when it
answers 200 and can read all of its options, else with 1 and a line that says what it did instead.
"""

from __future__ import annotations

import gc
import io
import logging
import os
import re
import runpy
import sys
from typing import Any


def environ(path: str) -> dict[str, Any]:
    """The request (PEP 3333)."""
    return {
        'REQUEST_METHOD': 'GET',
        'SCRIPT_NAME': '',
        'PATH_INFO': path,
        'QUERY_STRING': '',
        'SERVER_NAME': '127.0.0.1',
        'SERVER_PORT': '80',
        'SERVER_PROTOCOL': 'HTTP/1.1',
        'HTTP_HOST': '127.0.0.1',
        'REMOTE_ADDR': '127.0.0.1',
        'wsgi.version': (1, 0),
        'wsgi.url_scheme': 'http',
        'wsgi.input': io.BytesIO(),
        'wsgi.errors': sys.stderr,
        'wsgi.multithread': True,
        'wsgi.multiprocess': True,
        'wsgi.run_once': False,
    }


def trial(script: str, path: str, home: str = '') -> str:
    """'' when the application, at work in the directory *home*, answers 200, else what it did."""
    statuses: list[str] = []

    def start(status: str, *_: object) -> None:
        statuses.append(status)

    try:
        os.chdir(home or '.')
        application = runpy.run_path(script, run_name='trial')['application']
        answer = application(environ(path), start)
        _ = b''.join(answer)
    except BaseException as e:
        return words(f'{type(e).__name__}: {e}')
    status = statuses[-1] if statuses else 'nothing'
    return unreadable() if status.startswith('200 ') else f'answers {status}'


def unreadable() -> str:
    """An option whose value is of another kind than the service wants, in words; '' when it can read all.

    oslo.config looks at a value when it is first wanted: that may be in a client's request, or with ``debug``, which
    logs all of them.
    """
    cfg = sys.modules.get('oslo_config.cfg')
    if cfg is None:
        return ''
    silent = logging.Logger('silent', logging.CRITICAL)
    for conf in [x for x in gc.get_objects() if isinstance(x, cfg.ConfigOpts)]:
        try:
            conf.log_opt_values(silent, logging.DEBUG)
        except cfg.ConfigFileValueError as e:
            return words(f'{type(e).__name__}: {e}')
        except Exception:  # noqa: S112 -- one that was not read yet, or not to its end, says nothing
            continue
    return ''


def words(text: str) -> str:
    """*text* in one line, for the unit's status: without the accounts that URLs in it name."""
    return re.sub(r'://[^\s/]{1,1000}@', '://…@', ' '.join(text.split()))


if __name__ == '__main__':
    given = sys.argv[1:4]
    sys.argv = [
        'mod_wsgi'
    ]  # Services read options from it (oslo.config); under mod_wsgi there are none.
    said = trial(*given)
    print(said, flush=True)
    os._exit(1 if said else 0)  # Whatever threads it has begun.
