"""Two charms for tests: a directory over SSH, and the subordinate that mounts it where glance keeps images.

In a container there is no NFS, so it is sshfs, as cinder-nfs has it. The subordinate's key is made on its unit.
"""

from __future__ import annotations

import pathlib

import jubilant

_INSTALL = """set -e
install() {
    apt-get -qq update
    DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends install "$@" >/dev/null
}
"""
_FILES = """name: files
summary: A directory over SSH.
description: A directory over SSH.
provides: {store: {interface: test-store}}
"""
_FILES_DISPATCH = f"""#!/bin/sh
{_INSTALL}
case $JUJU_DISPATCH_PATH in
    hooks/install)
        install openssh-server
        mkdir -p -m 0700 /srv/images /root/.ssh
        systemctl enable --now ssh;;
    hooks/store-relation-changed)
        key=$(relation-get key)
        [ -n "$key" ] || exit 0
        grep -qxF "$key" /root/.ssh/authorized_keys 2>/dev/null || echo "$key" >>/root/.ssh/authorized_keys
        accepted="$(relation-list | tr '\\n' ' ')"
        relation-set address="$(network-get store --bind-address)" accepted="$accepted";;
esac
status-set active
"""
_IMAGES = """name: images
summary: Mounts a directory over SSH.
description: Mounts a directory over SSH.
subordinate: true
requires: {store: {interface: test-store}, mount: {interface: mount_info, scope: container}}
"""
_IMAGES_PROFILE = """description: FUSE
devices: {fuse: {type: unix-char, path: /dev/fuse, mode: "0666"}}
"""
_IMAGES_DISPATCH = f"""#!/bin/sh
{_INSTALL}
case $JUJU_DISPATCH_PATH in
    hooks/install)
        install sshfs openssh-client
        ssh-keygen -q -t ed25519 -N '' -f /root/store;;
    hooks/start|hooks/store-relation-*|hooks/mount-relation-*|hooks/update-status) ;;
    *) exit 0;;
esac
address=
for relation in $(relation-ids store); do
    relation-set -r "$relation" key="$(cut -d' ' -f1,2 /root/store.pub)"
    for unit in $(relation-list -r "$relation"); do
        case " $(relation-get -r "$relation" accepted "$unit") " in
            *" $JUJU_UNIT_NAME "*) address=$(relation-get -r "$relation" address "$unit");;
        esac
    done
done
for relation in $(relation-ids mount); do
    for unit in $(relation-list -r "$relation"); do
        place=$(relation-get -r "$relation" --app mountpoint "$unit" | tr -d '"')
        [ -n "$place" ] && [ -n "$address" ] || continue
        if ! mountpoint -q "$place"; then
            mkdir -p "$place"
            [ -e /dev/fuse ] || mknod -m 0666 /dev/fuse c 10 229
            systemctl reset-failed images-store 2>/dev/null || true
            systemd-run --quiet --unit=images-store sshfs -f -o allow_other,reconnect,IdentityFile=/root/store \\
                -o StrictHostKeyChecking=no,UserKnownHostsFile=/dev/null "root@$address:/srv/images" "$place"
            for second in $(seq 30); do mountpoint -q "$place" && break; sleep 1; done
        fi
        mountpoint -q "$place" || {{ status-set blocked "$place is not mounted"; exit 0; }}
        relation-set -r "$relation" mounted=true
        status-set active
        exit 0
    done
done
status-set waiting "for the store"
"""


def deploy(juju: jubilant.Juju, folder: pathlib.Path, space: str = '') -> None:
    """Give the model's glance a store that all its units share; *folder* is the charms' to be written in."""
    parts = {
        'files': {'metadata.yaml': _FILES, 'dispatch': _FILES_DISPATCH},
        'images': {
            'metadata.yaml': _IMAGES,
            'dispatch': _IMAGES_DISPATCH,
            'lxd-profile.yaml': _IMAGES_PROFILE,
        },
    }
    for name, texts in parts.items():
        (folder / name).mkdir(parents=True)
        for file, text in texts.items():
            (folder / name / file).write_text(text)
        (folder / name / 'dispatch').chmod(0o755)
    bind = {'': space} if space else None
    juju.deploy(folder / 'files', bind=bind, constraints={'spaces': space} if space else None)
    juju.deploy(folder / 'images', bind=bind)
    juju.integrate('files:store', 'images:store')
    juju.integrate('glance:shared-store', 'images:mount')
    _restart(juju)


def _restart(juju: jubilant.Juju) -> None:
    """Give machines the device that their subordinate asks for: those that were there before it, with a restart."""
    status = juju.wait(_installed)
    for unit, of in status.get_units('glance').items():
        if 'next restart' in status.machines[of.machine].machine_status.message:
            juju.exec('juju-reboot', unit=unit)


def _installed(status: jubilant.Status) -> bool:
    """Whether each unit of glance has its subordinate, and both have nothing to do."""
    units = status.get_units('glance')
    return len(status.get_units('images')) == len(units) and jubilant.all_agents_idle(
        status, 'glance', 'images'
    )
