"""Runs on the unit: encrypts stored credentials with the newest key, and counts those that no key decrypts.

``keystone-manage credential_migrate`` ends at the first that cannot be decrypted, and leaves those after it to keys
that are about to be forgotten. A database that was restored from another keystone's backup has such: one of them, and
keystone answers each list of credentials with 500, and cannot delete it either. With ``--remove`` those go.

Source: keystone's documentation of credential encryption; ``key_hash`` is the SHA-1 of the key as it stands in its
file.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what keystone's package brings.
from __future__ import annotations

import hashlib
import json
import pathlib
import sys

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


def ring() -> list[bytes]:
    """The keys, the one that encrypts first."""
    numbers = sorted(
        (int(p.name) for p in REPOSITORY.iterdir() if p.name.isdecimal()), reverse=True
    )
    return [(REPOSITORY / str(number)).read_bytes().strip() for number in numbers]


def main() -> int:
    """Do it, by the database that keystone.conf names; print how many are what now."""
    conf = cfg.ConfigOpts()
    options.set_defaults(conf)
    conf([], project='keystone')
    keys = ring()
    every = fernet.MultiFernet([fernet.Fernet(key) for key in keys])
    newest = hashlib.sha1(keys[0], usedforsecurity=False).hexdigest()
    engine = sqlalchemy.create_engine(conf.database.connection)
    anew, unreadable = 0, []
    remove = '--remove' in sys.argv[1:]
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
