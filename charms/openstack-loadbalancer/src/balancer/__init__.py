"""The load balancer's decisions, and the two edges that carry them out.

Pure: :mod:`checked`, :mod:`behaviour`, :mod:`interface`, :mod:`layout`, :mod:`haproxy_cfg`,
:mod:`handshake`, :mod:`rotation`, :mod:`linger`, :mod:`vrrp`, :mod:`stats`, :mod:`answer`.
At the edge: :mod:`runtime` (haproxy's sockets) and :mod:`workload` (its files and service).
"""
