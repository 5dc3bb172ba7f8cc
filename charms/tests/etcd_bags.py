"""What a unit of etcd says over the interface of that name. Not a test."""

from __future__ import annotations

PEM = '-----BEGIN {0}-----\nTUlJQg==\n-----END {0}-----\n'
TLS = {
    'connection_string': 'https://10.0.0.5:2379,https://10.0.0.6:2379',
    'client_ca': PEM.format('CERTIFICATE'),
    'client_cert': PEM.format('CERTIFICATE'),
    'client_key': PEM.format('RSA PRIVATE KEY'),
}
PLAIN = {'connection_string': 'http://10.0.0.5:2379'}
