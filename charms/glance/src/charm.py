#!/usr/bin/env python3
"""Charm for the OpenStack Image API: it keeps what servers boot from."""

from __future__ import annotations

from charmkit import idle

idle.exit_if_idle()  # Hooks that ask for nothing end here, before ops is loaded.

import charmkit
import image_service as images
import ops
from charmkit import glance


class GlanceCharm(charmkit.ApiCharm):
    """Charm for the Image API."""

    spec = charmkit.ServiceSpec(
        name='glance',
        user='glance',
        packages=('glance-api', 'python3-pymysql'),
        masked=('glance-api',),
        needs=(images.DB, images.IDENTITY, images.STORE),
        apps=(
            charmkit.WsgiApp(
                'glance-api',
                '/usr/bin/glance-wsgi-api',
                images.PORT,
                type='image',
                silence=charmkit.limits.BULK,
                grace_s=300,
            ),
        ),
        options=images.OPTIONS,
        config={'/etc/glance/glance-api.conf': images.glance_conf, images.PASTE: images.paste},
        machine=images.stores,
        offers=(charmkit.Offer(glance.RELATION, images.place, place=('glance', 'internal')),),
        refusal=images.not_alone,
        migrations=charmkit.migration.Commands(
            # The last of each loads what the release knows of images' metadata; what is there stays.
            sync=('glance-manage db_sync', images.METADEFS),
            expand=('glance-manage db expand', 'glance-manage db migrate', images.METADEFS),
            contract=('glance-manage db contract',),
        ),
        lifecycle=charmkit.Declaration(
            mix_needs={
                'shared-store': 'images are files of the unit that took them, and go with it, '
                'unless store-is-shared says that all units have them'
            },
        ),
    )


if __name__ == '__main__':  # pragma: nocover
    ops.main(GlanceCharm)
