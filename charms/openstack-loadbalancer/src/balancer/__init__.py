"""The load balancer's decisions, as pure functions of values, and its tasks.

From data to data: :mod:`validation`, :mod:`options`, :mod:`exposure`, :mod:`behaviour`,
:mod:`interface`, :mod:`layout`, :mod:`configuration`, :mod:`vrrp`, :mod:`handshake`,
:mod:`rotation`, :mod:`departed`, :mod:`decision`, :mod:`settling`, :mod:`blame`, :mod:`actions`,
:mod:`files`, :mod:`reply`, :mod:`observability`, :mod:`stats`, :mod:`publish`, and all of them
together in :mod:`run`. What is done is in :mod:`tasks`, by nothing but the machine they are given.
"""
