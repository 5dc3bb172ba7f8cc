"""A wheel of networking-calico: what of it is installed, and that it is what it says. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import lzma
import re
import struct
import sys
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping

from . import for_python3

PROJECT = 'networking_calico'
PINNED = '15d5cc20a5c542034695e312312e2524289eb81687d75428cf8985eb37c55e34'
"""SHA-256 of the wheel of :data:`for_python3.VERSION` on PyPI."""
_INSTALLED = re.compile(
    rf'{PROJECT}/(?!(?:.+/)?tests?/)[A-Za-z0-9_/]{{1,200}}\.py'
    rf'|{PROJECT}-[A-Za-z0-9.+!]{{1,60}}\.dist-info/(?:METADATA|entry_points\.txt)'
)
_VERSION = re.compile(r'^Version: ([A-Za-z0-9.+!]{1,60})$', re.MULTILINE)
_NUMBERS = re.compile(r'[0-9]{1,9}(?:\.[0-9]{1,9}){0,3}')
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ValueError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
)
"""What a file is met with that is broken, encrypted, or packed in a way that is not known."""
_LARGEST = 8_000_000
"""Bytes, unpacked: 3.12.0 has 0.4 million."""
_DRIVER = re.compile(rf'^calico *= *{PROJECT}\.', re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Wheel:
    """What is installed of a wheel."""

    version: str
    files: Mapping[str, str] = dataclasses.field(repr=False)
    """By path below the folder that they are put in."""

    @property
    def digest(self) -> str:
        """Stands for all of it."""
        text = '\0'.join(f'{path}\0{content}' for path, content in sorted(self.files.items()))
        return hashlib.sha256(text.encode()).hexdigest()[:12]


def read(content: bytes) -> Wheel:
    """The wheel that *content* is, mended where :mod:`for_python3` is for it.

    Raises:
        ValueError: it is none of networking-calico, or not the one that its version was released as.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            files = dict(_texts(archive))
    except UnicodeDecodeError:
        raise ValueError('it is no wheel: a file of it is not text in UTF-8') from None
    except _BROKEN as e:
        raise ValueError(f'it is no wheel: {e}') from None
    described = next((t for path, t in files.items() if path.endswith('/METADATA')), '')
    version = _VERSION.search(described)
    points = next((t for path, t in files.items() if path.endswith('/entry_points.txt')), '')
    if not version or not _DRIVER.search(points):
        raise ValueError('it is no wheel of networking-calico: it brings no driver of that name')
    if version[1] != for_python3.VERSION:
        _refuse_older(version[1])
        return Wheel(version[1], files)
    found = hashlib.sha256(content).hexdigest()
    if found != PINNED:
        raise ValueError(
            f'it says that it is {version[1]}, whose SHA-256 is {PINNED}, and has {found}'
        )
    return Wheel(version[1], for_python3.mended(files))


def compiled(wheel: Wheel) -> None:
    """See whether the Python that this runs in, which is the machine's, takes what is installed of *wheel*.

    That of :data:`for_python3.VERSION` is known to be taken.

    Raises:
        ValueError: it does not, in one sentence.
    """
    if wheel.version == for_python3.VERSION:
        return
    for path, text in wheel.files.items():
        if not path.endswith('.py'):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter('ignore')  # What neutron's own log would say.
                compile(text, path, 'exec', dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError) as e:
            said = e.msg if isinstance(e, SyntaxError) else str(e)
            where = f'{path}, line {e.lineno}' if isinstance(e, SyntaxError) else path
            python = '.'.join(map(str, sys.version_info[:2]))
            raise ValueError(f'Python {python} does not take it: {where}: {said}') from None


def _refuse_older(version: str) -> None:
    """Numbers alone tell which is older (PEP 440): of the one that is mended, only the release itself is known."""
    numbers = _NUMBERS.match(version)
    found = tuple(map(int, numbers[0].split('.'))) if numbers else ()
    first = tuple(map(int, for_python3.VERSION.split('.')))
    if (*found, 0, 0)[:3] <= first:
        raise ValueError(
            f'it is {version}: {for_python3.VERSION}, as released, or a newer one is wanted'
        )


def _texts(archive: zipfile.ZipFile) -> Iterator[tuple[str, str]]:
    wanted = [i for i in archive.infolist() if _INSTALLED.fullmatch(i.filename)]
    if sum(i.file_size for i in wanted) > _LARGEST:
        raise ValueError(f'it has more than {_LARGEST} bytes when unpacked')
    for info in wanted:
        yield info.filename, archive.read(info).decode()
