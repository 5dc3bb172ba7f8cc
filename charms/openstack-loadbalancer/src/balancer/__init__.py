"""The load balancer's decisions, and the two edges that carry them out.

Pure: :mod:`checked`, :mod:`options`, :mod:`behaviour`, :mod:`interface`, :mod:`layout`,
:mod:`haproxy_cfg`, :mod:`vrrp`, :mod:`handshake`, :mod:`rotation`, :mod:`linger`,
:mod:`decision`, :mod:`answer`, :mod:`seeing`, :mod:`stats`, :mod:`publish`.
At the edge: :mod:`runtime` (haproxy's sockets) and :mod:`workload` (its files and service).
"""
