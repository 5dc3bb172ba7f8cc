"""An icon for each charm, as Charmhub shows it: 100 by 100, a disc with one drawing in white lines. Pure.

The drawings are our own: what a service is for, in a few strokes. A charm without one gets a plug.
"""

from __future__ import annotations

from collections.abc import Mapping

_COLOURS = {
    'identity': '#6a4c93',
    'control': '#1f6f8b',
    'network': '#2a7f62',
    'compute': '#b5541c',
    'storage': '#8a6d1d',
    'service': '#35507a',
    'edge': '#a23b52',
    'other': '#50565e',
}

_DRAWINGS: Mapping[str, tuple[str, str]] = {
    'keystone': (
        'identity',
        '<circle cx="38" cy="50" r="12"/><path d="M50 50h28M70 50v10M78 50v8"/>',
    ),
    'certificate-authority': (
        'identity',
        '<rect x="26" y="28" width="48" height="34" rx="3"/><path d="M34 39h32M34 48h18"/>'
        '<circle cx="62" cy="60" r="8"/><path d="M58 67v11l4-3 4 3V67"/>',
    ),
    'glance': (
        'storage',
        '<rect x="26" y="30" width="48" height="40" rx="3"/><circle cx="40" cy="43" r="5"/>'
        '<path d="M28 66l16-14 10 8 8-7 10 11"/>',
    ),
    'placement': (
        'control',
        '<path d="M28 28h18v18H28zM54 28h18v18H54zM28 54h18v18H28z"/><path d="M63 54v18M54 63h18"/>',
    ),
    'mysql': (
        'service',
        '<ellipse cx="50" cy="32" rx="22" ry="8"/><path d="M28 32v36c0 4.4 9.8 8 22 8s22-3.6 22-8V32"/>'
        '<path d="M28 50c0 4.4 9.8 8 22 8s22-3.6 22-8"/>',
    ),
    'rabbitmq-server': (
        'service',
        '<path d="M24 42h12v16H24zM42 42h12v16H42zM60 42h12v16H60z"/><path d="M26 68h44M64 62l7 6-7 6"/>',
    ),
    'openstack-loadbalancer': (
        'edge',
        '<circle cx="28" cy="50" r="6"/><circle cx="72" cy="28" r="6"/><circle cx="72" cy="50" r="6"/>'
        '<circle cx="72" cy="72" r="6"/><path d="M34 50h32M33 47l33-16M33 53l33 16"/>',
    ),
    'openstack-dashboard': (
        'edge',
        '<rect x="24" y="30" width="52" height="40" rx="3"/><path d="M24 40h52M36 62V52M48 62V46M60 62V55"/>',
    ),
    'neutron-api': (
        'network',
        '<circle cx="50" cy="30" r="6"/><circle cx="30" cy="66" r="6"/><circle cx="70" cy="66" r="6"/>'
        '<path d="M47 36L33 60M53 36l14 24M36 66h28"/>',
    ),
    'neutron-api-plugin-calico': (
        'network',
        '<circle cx="30" cy="50" r="6"/><circle cx="70" cy="32" r="6"/><circle cx="70" cy="68" r="6"/>'
        '<path d="M36 50h10l18-16M46 50l18 16"/>',
    ),
    'neutron-calico': (
        'network',
        '<circle cx="34" cy="50" r="6"/><path d="M40 50h12l12-16M52 50l12 16"/>'
        '<rect x="62" y="24" width="12" height="12" rx="2"/><rect x="62" y="64" width="12" height="12" rx="2"/>',
    ),
    'neutron-api-plugin-ovn': (
        'network',
        '<circle cx="34" cy="50" r="10"/><path d="M44 50h14M58 40v20h16M58 46h16M58 54h16"/>',
    ),
    'neutron-gateway': (
        'network',
        '<path d="M28 72V44a22 22 0 0 1 44 0v28M24 72h52"/><path d="M40 58h20M54 52l6 6-6 6"/>',
    ),
    'neutron-openvswitch': (
        'network',
        '<path d="M24 40h44M60 32l8 8-8 8M76 60H32M40 52l-8 8 8 8"/>',
    ),
    'ovn-central': (
        'network',
        '<ellipse cx="50" cy="34" rx="18" ry="7"/><path d="M32 34v32c0 4 8 7 18 7s18-3 18-7V34M26 50h48"/>',
    ),
    'ovn-chassis': (
        'network',
        '<rect x="30" y="34" width="40" height="32" rx="3"/><path d="M20 44h10M20 56h10M70 44h10M70 56h10M42 50h16"/>',
    ),
    'nova-cloud-controller': (
        'compute',
        '<path d="M34 68a13 13 0 0 1-1-26 18 18 0 0 1 34-3 14 14 0 0 1 1 29z"/><path d="M44 57l6-6 6 6M50 51v12"/>',
    ),
    'nova-compute': (
        'compute',
        '<rect x="34" y="34" width="32" height="32" rx="3"/><path d="M42 34v-8M50 34v-8M58 34v-8M42 74v-8M50 74v-8'
        'M58 74v-8M34 42h-8M34 50h-8M34 58h-8M74 42h-8M74 50h-8M74 58h-8"/>',
    ),
    'cinder': (
        'storage',
        '<rect x="28" y="28" width="44" height="12" rx="3"/><rect x="28" y="44" width="44" height="12" rx="3"/>'
        '<rect x="28" y="60" width="44" height="12" rx="3"/><path d="M62 34h4M62 50h4M62 66h4"/>',
    ),
    'cinder-lvm': (
        'storage',
        '<circle cx="50" cy="50" r="24"/><path d="M50 50V26M50 50l21 12M50 50L29 62"/><circle cx="50" cy="50" r="3"/>',
    ),
    'cinder-nfs': (
        'storage',
        '<path d="M26 34h16l5 6h27v30H26z"/><path d="M40 56h20M54 50l6 6-6 6"/>',
    ),
    'heat': (
        'control',
        '<rect x="40" y="26" width="20" height="14" rx="2"/><rect x="24" y="60" width="20" height="14" rx="2"/>'
        '<rect x="56" y="60" width="20" height="14" rx="2"/><path d="M50 40v10M34 60V50h32v10"/>',
    ),
}  # fmt: skip
_PLUG = (
    'other',
    '<path d="M42 26v14M58 26v14M34 40h32v10a16 16 0 0 1-32 0zM50 66v10"/>',
)


def icon(name: str) -> str:
    """The icon of a charm, as SVG."""
    colour, drawing = _DRAWINGS.get(name, _PLUG)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="100" height="100" viewBox="0 0 100 100">\n'
        f'  <circle cx="50" cy="50" r="50" fill="{_COLOURS[colour]}"/>\n'
        '  <g fill="none" stroke="#fff" stroke-width="4" stroke-linecap="round" stroke-linejoin="round">\n'
        f'    {drawing}\n'
        '  </g>\n'
        '</svg>\n'
    )
