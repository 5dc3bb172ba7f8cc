"""Charmhub's public interface: what a name, a channel and a base stand for, and the files, kept by revision.

Source: internal/charmhub of Juju 3.6 (``refreshconfig.go``, ``transport/``, ``download.go``) and api.charmhub.io/docs.
What is downloaded is checked against the digest that Charmhub names, and is asked for once.
"""

from __future__ import annotations

import dataclasses
import hashlib
import http.client
import json
import os
import pathlib
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from . import aside
from .core.refusal import Refused

URL = 'JUJULET_CHARMHUB_URL'
OFFLINE = 'JUJULET_OFFLINE'
DEFAULT_URL = 'https://api.charmhub.io'
DEFAULT_CHANNEL = 'stable'
ARCHITECTURE = 'amd64'

TIMEOUT_S = 30.0
MOST = 64 << 20
"""Bytes of an answer that is not a file."""

_NAME = re.compile(r'[a-z](?:[a-z0-9-]*[a-z0-9])?')
_FIELDS = ('bases', 'download', 'id', 'name', 'resources', 'revision', 'type', 'version')
_DIGESTS = {'hash-sha-256': 'sha256', 'hash-sha-384': 'sha384', 'hash-sha-512': 'sha512'}


@dataclasses.dataclass(frozen=True)
class File:
    """One file to download, and how it is known to be whole."""

    name: str
    revision: int
    url: str
    digest: str
    """``sha256:…``, as hexadecimal digits."""
    size: int = 0


@dataclasses.dataclass(frozen=True)
class Found:
    """A revision of a charm or bundle."""

    name: str
    id: str
    kind: str
    """``charm`` or ``bundle``."""
    channel: str
    """The one that it is in; empty if it was asked for by revision."""
    file: File
    resources: tuple[File, ...] = ()
    """Those that are files."""

    @property
    def revision(self) -> int:
        """Its number on Charmhub."""
        return self.file.revision


@dataclasses.dataclass(frozen=True)
class Hub:
    """Charmhub at an address, and what was had from it before, in a folder."""

    folder: pathlib.Path
    url: str = DEFAULT_URL
    offline: bool = False

    def find(
        self, name: str, *, channel: str = '', revision: int | None = None, base: str = ''
    ) -> Found:
        """What a name stands for. Offline, what it stood for when it was last asked.

        *base* is as ``ubuntu@24.04``; without one, the first that the charm has is taken, as Juju does.

        Raises:
            Refused: there is no such charm, or Charmhub cannot be reached, or said what is not understood.
        """
        if not _NAME.fullmatch(name):
            raise Refused(f'charm or bundle name "{name}" is not valid')
        wanted = f'{name} {"" if revision is not None else channel or DEFAULT_CHANNEL} {revision} {base}'
        if self.offline:
            return self._remembered(name, wanted)
        found = self._ask(name, channel, revision, base)
        self._remember(wanted, found)
        return found

    def _ask(self, name: str, channel: str, revision: int | None, base: str) -> Found:
        bases: list[Mapping[str, Any]] = [_base(base)]
        tried: list[Mapping[str, Any]] = []
        while bases:
            tried.append(bases[0])
            result = self._refresh(name, channel, revision, bases.pop(0))
            error = _mapping(result.get('error'))
            if not error:
                return _found(name, result, by_revision=revision is not None)
            if base or revision is not None:
                raise _refused(name, error)
            bases = [b for b in _offered(error) if b not in tried]
            if not bases:
                raise _refused(name, error)
        raise Refused(f'charm "{name}" has no base')  # pragma: no cover -- the loop ends otherwise

    def _refresh(
        self, name: str, channel: str, revision: int | None, base: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        action: dict[str, Any] = {'action': 'install', 'instance-key': 'jujulet', 'name': name}
        if revision is None:
            action |= {'channel': channel or DEFAULT_CHANNEL, 'base': base}
        else:
            action['revision'] = revision
        said = self._get(
            '/v2/charms/refresh', {'context': [], 'actions': [action], 'fields': list(_FIELDS)}
        )
        _no_errors(name, said)
        for result in _mappings(said.get('results')):
            if result.get('instance-key') == 'jujulet':
                return result
        raise Refused(f'Charmhub at {self.url} said nothing of "{name}"')

    def info(self, name: str, channel: str = '') -> Mapping[str, Any]:
        """What ``juju info`` shows. Raises Refused."""
        if not _NAME.fullmatch(name):
            raise Refused(f'charm or bundle name "{name}" is not valid')
        fields = (
            'channel-map', 'default-release', 'result.summary', 'result.description', 'result.publisher',
            'result.license', 'result.store-url', 'default-release.revision.metadata-yaml',
        )  # fmt: skip
        query = {'fields': ','.join(fields), **({'channel': channel} if channel else {})}
        said = self._get(f'/v2/charms/info/{name}?{urllib.parse.urlencode(query)}')
        _no_errors(name, said)
        return said

    def search(self, text: str, more: Mapping[str, str]) -> list[Mapping[str, Any]]:
        """What ``juju find`` shows. Raises Refused."""
        fields = 'result.publisher.display-name,result.summary,result.store-url,default-release.revision.version'
        query = urllib.parse.urlencode({'q': text, 'fields': fields, **more})
        said = self._get(f'/v2/charms/find?{query}')
        _no_errors(text, said)
        return _mappings(said.get('results'))

    def fetch(self, file: File, *, suffix: str = '.charm') -> pathlib.Path:
        """Where a file is, downloaded and whole.

        Raises:
            Refused: Charmhub cannot be reached, or what came is not what it said would come.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        kind, _, digest = file.digest.partition(':')
        folder = self.folder / f'{file.name}_{file.revision}_{digest[:12]}'
        place = folder / f'{file.name}{suffix}'
        if place.is_file() and _digest(place, kind) == digest:
            return place
        if self.offline:
            raise Refused(
                f'"{file.name}" revision {file.revision} is not here: it was never downloaded'
            )
        folder.mkdir(exist_ok=True)
        with aside.opened(folder) as (copy, become):
            said = hashlib.new(kind)
            for chunk in self._download(file):
                said.update(chunk)
                copy.write(chunk)
            if said.hexdigest() != digest:
                raise Refused(
                    f'"{file.name}" revision {file.revision} came damaged: its {kind} is {said.hexdigest()}, '
                    f'not {digest}'
                )
            become(place)
        return place

    def _download(self, file: File) -> Iterator[bytes]:
        try:
            with urllib.request.urlopen(self._url(file.url), timeout=TIMEOUT_S) as answer:  # noqa: S310 -- _url
                while chunk := answer.read(1 << 20):
                    yield chunk
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None

    def _url(self, text: str) -> str:
        """An address that Charmhub gave, which must be one of the web: never a file of this host."""
        scheme = urllib.parse.urlsplit(text).scheme
        if scheme not in ('http', 'https'):
            raise Refused(f'Charmhub at {self.url} gave "{text}", which is no address of the web')
        return text

    def _get(self, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        if self.offline:
            raise Refused('Charmhub is not asked: --offline')
        data = None if body is None else json.dumps(body).encode()
        headers = {'Accept': 'application/json', 'User-Agent': 'Juju/3.6 (jujulet)'}
        if data:
            headers['Content-Type'] = 'application/json'
        request = urllib.request.Request(  # noqa: S310 -- _url
            self._url(self.url.rstrip('/') + path), data, headers
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 -- _url
                text = answer.read(MOST)
        except urllib.error.HTTPError as error:
            with error:
                text = error.read(MOST)
            if error.code not in (400, 404):
                raise self._unreachable(error) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._unreachable(error) from None
        try:
            return _mapping(json.loads(text))
        except (ValueError, RecursionError):
            raise Refused(f'{self.url} does not answer as Charmhub does') from None

    def _unreachable(self, error: Exception) -> Refused:
        reason = getattr(error, 'reason', None) or error
        return Refused(
            f'Charmhub at {self.url} cannot be reached ({reason}): deploy a charm by its path, give its name a '
            f'path with jujulet alias, or take what was downloaded before with --offline'
        )

    def _index(self) -> dict[str, Any]:
        try:
            return json.loads((self.folder / 'index.json').read_text())
        except (OSError, ValueError):
            return {}

    def _remember(self, wanted: str, found: Found) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        index = {**self._index(), wanted: dataclasses.asdict(found)}
        aside.write(self.folder / 'index.json', json.dumps(index))

    def _remembered(self, name: str, wanted: str) -> Found:
        said = self._index().get(wanted)
        if said is None:
            raise Refused(
                f'"{name}" is not here: it was never asked for so, and Charmhub is not asked'
            )
        files = [File(**f) for f in (said['file'], *said['resources'])]
        rest = {k: str(said[k]) for k in ('name', 'id', 'kind', 'channel')}
        return Found(**rest, file=files[0], resources=tuple(files[1:]))


def hub(folder: pathlib.Path, *, url: str = '', offline: bool = False) -> Hub:
    """Charmhub as the user wants it: by option, else by environment."""
    return Hub(
        folder,
        url or os.environ.get(URL, '') or DEFAULT_URL,
        offline or os.environ.get(OFFLINE, '') not in ('', '0', 'false'),
    )


def _base(text: str) -> dict[str, Any]:
    name, _, channel = text.partition('@')
    return {
        'architecture': ARCHITECTURE,
        'name': name or 'NA',
        'channel': channel.partition('/')[0] or 'NA',
    }


def _offered(error: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Bases that Charmhub proposes instead. Source: ``selectNextBases`` of core/charm/repository/charmhub.go."""
    extra = _mapping(error.get('extra'))
    found = _mappings(extra.get('default-bases'))
    found += [_mapping(release.get('base')) for release in _mappings(extra.get('releases'))]
    return [b for b in found if b.get('architecture') in (ARCHITECTURE, 'all')]


def _found(name: str, result: Mapping[str, Any], *, by_revision: bool) -> Found:
    entity = _mapping(result.get('charm'))
    try:
        resources = tuple(
            _file(str(r['name']), r)
            for r in _mappings(entity.get('resources'))
            if r.get('type', 'file') == 'file'
        )
        return Found(
            name=name,
            id=str(result.get('id') or entity.get('id') or ''),
            kind=str(entity.get('type') or 'charm'),
            channel='' if by_revision else str(result.get('effective-channel', '')),
            file=_file(name, entity),
            resources=resources,
        )
    except (KeyError, TypeError, ValueError):
        raise Refused(f'Charmhub says of "{name}" what is not understood') from None


def _file(name: str, said: Mapping[str, Any]) -> File:
    download = said['download']
    if not re.fullmatch(r'[A-Za-z0-9][A-Za-z0-9._-]*', name):
        raise ValueError(name)  # It becomes the name of a file.
    for key, kind in _DIGESTS.items():
        digest = str(download.get(key) or '')
        if digest:
            size = int(download.get('size') or 0)
            return File(
                name, int(said['revision']), str(download['url']), f'{kind}:{digest}', size
            )
    raise KeyError('no digest')


def _digest(path: pathlib.Path, kind: str) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, kind).hexdigest()


def _no_errors(name: str, said: Mapping[str, Any]) -> None:
    errors = _mappings(said.get('error-list'))
    if errors:
        raise _refused(name, errors[0])


def _refused(name: str, error: Mapping[str, Any]) -> Refused:
    if error.get('code') in ('not-found', 'name-not-found', 'resource-not-found', 'id-not-found'):
        return Refused(f'charm or bundle "{name}" not found on Charmhub')
    said = str(error.get('message') or error.get('code') or 'it says no more')
    return Refused(f'Charmhub has no such "{name}": {said.strip()}')


def _mapping(value: Any) -> Mapping[str, Any]:
    return cast('Mapping[str, Any]', value) if isinstance(value, Mapping) else {}


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    many = cast('Sequence[Any]', value) if isinstance(value, list) else ()
    return [_mapping(each) for each in many if isinstance(each, Mapping)]
