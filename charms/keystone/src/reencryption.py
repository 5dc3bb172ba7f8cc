"""Runs on the unit: encrypts stored credentials with the newest key, and counts those that no key decrypts.

``keystone-manage credential_migrate`` ends at the first that cannot be decrypted, and leaves those after it to keys
that are about to be forgotten. A database that was restored from another keystone's backup has such: one of them, and
keystone answers each list of credentials with 500, and cannot delete it either. With ``--remove`` those go.

Its first argument is the digest of the ring of keys that all units share. With other key files on the disk it does
nothing: what it encrypted with a key of this unit alone would be lost, and what it could not decrypt need not be.

Source: keystone's documentation of credential encryption; ``key_hash`` is the SHA-1 of the key as it stands in its
file.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what keystone's package brings.
from __future__ import annotations

import contextlib
import hashlib
import json
import pathlib
import sys
from collections.abc import Mapping

import sqlalchemy
from cryptography import fernet
from oslo_config import cfg
from oslo_db import options

REPOSITORY = pathlib.Path('/etc/keystone/credential-keys')

_EVERY = sqlalchemy.text('SELECT id, encrypted_blob, key_hash FROM credential')
# Who has changed it meanwhile has encrypted it with the newest key.
_REPLACE = sqlalchemy.text(
    'UPDATE credential SET encrypted_blob = :new, key_hash = :newest '
    'WHERE id = :id AND encrypted_blob = :old'
)
_REMOVE = sqlalchemy.text('DELETE FROM credential WHERE id = :id')


def ring() -> dict[int, str]:
    """The keys by their numbers, as keystone finds them.

    Raises:
        OSError: when they cannot be read.
    """
    found: dict[int, str] = {}
    for path in REPOSITORY.iterdir():
        with contextlib.suppress(ValueError):  # No key, but for its name.
            number = int(path.name)
            if path.is_file():
                found[number] = path.read_text(errors='replace')
    return found


def digest(ring: Mapping[int, str]) -> str:
    """Stands for *ring* as the charm has it."""
    text = json.dumps({str(number): key for number, key in ring.items()}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def main() -> int:
    """Do it, by the database that keystone.conf names; print how many are what now."""
    try:
        there = ring()
    except OSError as e:
        print(f'the keys in {REPOSITORY} cannot be read: {e.strerror}')
        return 1
    if digest(there) not in sys.argv[1:2]:
        print(
            f'the keys in {REPOSITORY} are not those that all units share: the next hook puts those there'
        )
        return 1
    conf = cfg.ConfigOpts()
    options.set_defaults(conf)
    conf([], project='keystone')
    keys = [key.encode() for _, key in sorted(there.items(), reverse=True)]
    every = fernet.MultiFernet([fernet.Fernet(key) for key in keys])
    newest = hashlib.sha1(keys[0], usedforsecurity=False).hexdigest()
    engine = sqlalchemy.create_engine(conf.database.connection)
    anew, unreadable = 0, []
    remove = '--remove' in sys.argv[2:]
    with engine.begin() as db:
        for identity, blob, key_hash in db.execute(_EVERY).fetchall():
            try:
                text = every.decrypt(blob.encode())
            except fernet.InvalidToken:
                unreadable.append(identity)
                if remove:
                    db.execute(_REMOVE, {'id': identity})
                continue
            if key_hash != newest:
                anew += 1
                blobs = {'new': every.encrypt(text).decode(), 'old': blob}
                db.execute(_REPLACE, {**blobs, 'id': identity, 'newest': newest})
    removed = len(unreadable) if remove else 0
    left = len(unreadable) - removed
    print(json.dumps({'anew': anew, 'unreadable': left, 'removed': removed}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
