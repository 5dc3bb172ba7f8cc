"""haproxy and keepalived, as values and as the text of their files. Pure.

One source for the load balancer and for the haproxy that a unit has of its own (:mod:`charmkit.vip`):
what one of them filters, limits or checks, the other does too.

:mod:`config` is what haproxy.cfg says, :mod:`haproxy` writes it down, :mod:`keepalived` says who
holds the VIPs, :mod:`programs` are the small programs and systemd settings beside them.
"""
