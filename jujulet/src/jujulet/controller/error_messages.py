"""What is said of an error that should not have been: one sentence, without a traceback."""

from __future__ import annotations

import errno
import sqlite3

_WITH_CURE = {
    errno.ENOSPC: 'no space is left on the disk',
    errno.EDQUOT: 'the quota of the disk is used up',
    errno.EMFILE: 'too many files are open',
    errno.ENFILE: 'too many files are open on this host',
    errno.ENOMEM: 'this host has no memory left',
    errno.EROFS: 'the disk can only be read',
}


def sentence(error: BaseException) -> str:
    """Why it failed, and with which file, in one line."""
    if isinstance(error, OSError) and error.errno is not None:
        said = _WITH_CURE.get(error.errno) or (error.strerror or '').lower()
        return f'{said} ({error.filename})' if error.filename else said
    if isinstance(error, TimeoutError):
        return 'it took too long'
    if isinstance(error, sqlite3.Error):
        return f'the store cannot be written: {error}'
    if isinstance(error, RecursionError):
        return 'folders lie too deep in one another'
    text = ' '.join(str(error).split())
    return text or type(error).__name__
