"""How requests reach nova's code: ``api-paste.ini`` as Zed to 2025.1 have it, with one thing mended. Pure.

The package has its health check inside the API's own pipeline, where it wants a token (``/v2.1/healthcheck``), and
answers ``/healthcheck`` with a choice of versions. Here it is an application beside the API.
"""

from __future__ import annotations

import charmkit
from charmkit import conf

PATH = '/etc/nova/api-paste.ini'
"""The one place where nova's WSGI applications look."""

_OUTER = 'cors http_proxy_to_wsgi compute_req_id faultwrap request_log'
_INNER = 'sizelimit osprofiler authtoken keystonecontext'
_FILTERS = {
    'authtoken': 'keystonemiddleware.auth_token:filter_factory',
    'compute_req_id': 'nova.api.compute_req_id:ComputeReqIdMiddleware.factory',
    'cors': 'oslo_middleware.cors:filter_factory',
    'faultwrap': 'nova.api.openstack:FaultWrapper.factory',
    'http_proxy_to_wsgi': 'oslo_middleware.http_proxy_to_wsgi:HTTPProxyToWSGI.factory',
    'keystonecontext': 'nova.api.auth:NovaKeystoneContext.factory',
    'legacy_v2_compatible': 'nova.api.openstack:LegacyV2CompatibleWrapper.factory',
    'osprofiler': 'nova.profiler:WsgiMiddleware.factory',
    'request_log': 'nova.api.openstack.requestlog:RequestLog.factory',
    'sizelimit': 'oslo_middleware:RequestBodySizeLimiter.factory',
}
_APPS = {
    'compute': 'nova.api.openstack.compute:APIRouterV21.factory',
    'health': 'oslo_middleware:Healthcheck.app_factory',
    'metadata_requests': 'nova.api.metadata.handler:MetadataRequestHandler.factory',
    'versions': 'nova.api.openstack.compute.versions:Versions.factory',
    'versions_of_v2': 'nova.api.openstack.compute.versions:VersionsV2.factory',
}
_PIPELINES = {
    'list_of_versions': f'{_OUTER} versions',
    'about_v21': f'{_OUTER} versions_of_v2',
    'about_v2': f'{_OUTER} legacy_v2_compatible versions_of_v2',
    'v21': f'{_OUTER} {_INNER} compute',
    'v2': f'{_OUTER} {_INNER} legacy_v2_compatible compute',
    'answers': 'cors http_proxy_to_wsgi metadata_requests',
}


def paste(_: charmkit.Ready) -> conf.Ini:
    """What goes into the file: the two applications that nova's scripts load are ``osapi_compute`` and ``metadata``."""
    return {
        'composite:osapi_compute': {
            'use': 'call:nova.api.openstack.urlmap:urlmap_factory',
            '/': 'list_of_versions',
            '/healthcheck': 'health',
            '/v2': 'about_v2',
            '/v2.1': 'about_v21',
            '/v2/+': 'v2',
            '/v2.1/+': 'v21',
        },
        'composite:metadata': {
            'use': 'egg:Paste#urlmap',
            '/': 'answers',
            '/healthcheck': 'health',
        },
        **{f'pipeline:{name}': {'pipeline': parts} for name, parts in _PIPELINES.items()},
        **{f'filter:{name}': {'paste.filter_factory': made} for name, made in _FILTERS.items()},
        **{f'app:{name}': {'paste.app_factory': made} for name, made in _APPS.items()},
        'filter:cors': {'paste.filter_factory': _FILTERS['cors'], 'oslo_config_project': 'nova'},
        'app:health': {
            'paste.app_factory': _APPS['health'],
            'backends': 'disable_by_file',
            'disable_by_file_path': '/etc/nova/healthcheck_disable',
        },
    }
