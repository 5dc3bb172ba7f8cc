"""Makes oslo.policy safe for threads. Apache runs it in each process of an API, before the application.

Services make their ``Enforcer`` at the first request that asks it something, and register their rules with it when
other threads can see it already; and it loads rules one by one into what other threads judge by. So of the requests
that a new process gets side by side some were refused (403) that are allowed, and some ended with 500: after each
restart, reload and change of a policy. (oslo.policy's ``Enforcer``: ``load_rules``, ``authorize`` and
``register_default``; keystone's ``RBACEnforcer._enforcer``, nova's ``policy.init``; all in Zed and 2025.1.)

Here other threads wait until the thread that made an Enforcer first uses it, which is when it has registered its rules;
two threads may register the same ones (both found no Enforcer, and share the second); and rules are loaded into a copy
that replaces what was there.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what the service's packages bring.
from __future__ import annotations

import copy
import functools
import threading

_LOADING = threading.get_ident()
"""The thread that loads this, and then the application; no request is answered in it."""
WAIT_S = 10.0
"""How long others wait, at most, for the thread that made an Enforcer."""


class _Guard:
    """Of one Enforcer."""

    def __init__(self):
        self.lock = threading.RLock()
        self.made_by = threading.get_ident()
        self.registered = threading.Event()
        if self.made_by == _LOADING:
            self.registered.set()  # No request sees it yet.

    def enter(self):
        """Called by who uses the Enforcer."""
        if threading.get_ident() == self.made_by:
            self.registered.set()
        elif not self.registered.is_set():
            self.registered.wait(WAIT_S)
            self.registered.set()


def guard(cls):
    """Have the Enforcer *cls* judge by whole rules only. Once is enough."""
    if hasattr(cls, 'charm_guarded'):
        return
    make, load, authorize, register = (
        cls.__init__,
        cls.load_rules,
        cls.authorize,
        cls.register_default,
    )

    @functools.wraps(make)
    def init(self, *args, **kwargs):
        self.charm_guard = _Guard()
        make(self, *args, **kwargs)

    @functools.wraps(load)
    def load_rules(self, *args, **kwargs):
        self.charm_guard.enter()
        with self.charm_guard.lock:
            loaded = copy.copy(self)
            loaded.rules = type(self.rules)(self.rules, self.rules.default_rule)
            load(loaded, *args, **kwargs)
            vars(self).update(vars(loaded))

    @functools.wraps(authorize)
    def authorize_(self, *args, **kwargs):
        self.charm_guard.enter()
        return authorize(self, *args, **kwargs)

    @functools.wraps(register)
    def register_default(self, default):
        with self.charm_guard.lock:
            known = self.registered_rules.get(default.name)
            if known is None or known != default:
                register(self, default)

    cls.__init__, cls.load_rules, cls.authorize = init, load_rules, authorize_
    cls.register_default = register_default
    cls.charm_guarded = True


try:
    from oslo_policy import policy
except ImportError:  # A service that has none.
    pass
else:
    guard(policy.Enforcer)
