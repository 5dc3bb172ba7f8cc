"""What an installer of Python packages writes down of the machine that it ran on: it has no place in a packed charm.

Source: the Python packaging user guide, *Recording installed projects* (RECORD, direct_url.json); uv adds
uv_cache.json and uv_build.json, with times and paths.
"""

from __future__ import annotations

import csv
import io
import pathlib

_TRACES = ('direct_url.json', 'uv_cache.json', 'uv_build.json')


def forget(folder: pathlib.Path) -> None:
    """Take them out of every installed package below a folder; a RECORD then lists what is there, in order.

    Two packings of the same charm on two machines, or in two folders, so give the same bytes.
    """
    for info in sorted(folder.rglob('*.dist-info')):
        for name in _TRACES:
            (info / name).unlink(missing_ok=True)
        record = info / 'RECORD'
        if record.is_file():
            record.write_text(
                _kept(record.read_text(encoding='utf-8'), info.parent), encoding='utf-8'
            )


def _kept(text: str, beside: pathlib.Path) -> str:
    """The lines of a RECORD whose files are there: programs were made for one machine's Python, and are not packed."""
    rows = sorted(
        row for row in csv.reader(text.splitlines()) if row and (beside / row[0]).is_file()
    )
    out = io.StringIO()
    csv.writer(out, lineterminator='\n').writerows(rows)
    return out.getvalue()
