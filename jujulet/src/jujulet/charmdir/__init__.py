"""A charm on the user's disk, a folder or a ``.charm`` file → a folder that runs, kept by its digest.

What jujulet runs is what ``jujulet pack`` ships: both take the entries from :mod:`.layout`. For ``juju deploy``::

    charm = charmdir.read(path)                               # metadata only: quick, makes nothing
    base = bases.choose(charm, wanted, model_default)         # core.bases
    charm = charmdir.load(path, base, store)                  # in <store>/charms/<digest>/; url is ''
    url = change(requests.AddCharm(charm=charm))['url']
    files = charmdir.resources(charm, {'data': 'file.txt'}, store)      # for requests.Deploy.resources

All of these raise :class:`jujulet.core.charm.Invalid` with one clear text, and leave nothing half made. Warnings (a
part's ``override-build``, say, which only Charmcraft honours) go to the logger ``jujulet.charmdir``.
"""

from __future__ import annotations

from .pack import pack
from .source import read
from .store import load, resources

__all__ = ['load', 'pack', 'read', 'resources']
