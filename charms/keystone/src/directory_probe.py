"""Runs on the unit: asks each domain's LDAP directory for its people, as keystone would, and says what is wrong.

Keystone itself tells too little: a tree that is not there is one without users to it, and whatever else is wrong is the
same 500. The names of domains are its arguments; what is found goes to the standard output, as JSON: an option of the
domain's file, and what is wrong with it, by domain; nothing for one that does well. No password is in it.

Source: keystone's documentation of LDAP, python-ldap's of its errors.
"""

# pyright: basic, reportMissingImports=false
# It runs on the unit's own Python, with what keystone's package brings.
from __future__ import annotations

import concurrent.futures
import json
import pathlib
import sys

import ldap
import ldap.filter
from keystone.conf import ldap as keystone_ldap
from oslo_config import cfg

_LONGEST_S = 10
_SCOPES = {'one': ldap.SCOPE_ONELEVEL, 'sub': ldap.SCOPE_SUBTREE}
_DEMANDS = {
    'demand': ldap.OPT_X_TLS_DEMAND,
    'allow': ldap.OPT_X_TLS_ALLOW,
    'never': ldap.OPT_X_TLS_NEVER,
}
_AWAY = (ldap.SERVER_DOWN, ldap.TIMEOUT, ldap.CONNECT_ERROR, ldap.UNAVAILABLE, ldap.BUSY)


_REFUSALS = (
    ldap.INVALID_CREDENTIALS,
    ldap.INVALID_DN_SYNTAX,
    ldap.INAPPROPRIATE_AUTH,
    ldap.NO_SUCH_OBJECT,
    ldap.UNWILLING_TO_PERFORM,
)


class _Wrong(Exception):  # noqa: N818 -- it is a finding.
    """Something is wrong with an option: which, what, and whether the directory is only away."""


def options(domain: str):
    """The options of *domain*, as keystone reads them."""
    conf = cfg.ConfigOpts()
    conf.register_opts(keystone_ldap.ALL_OPTS, group='ldap')
    conf([], default_config_files=[f'/etc/keystone/domains/keystone.{domain}.conf'])
    return conf.ldap


def connect(o, url: str):
    """A connection to *url*, with the certificate of its server verified and the reader logged in."""
    seconds = min(max(o.pool_connection_timeout, 1), _LONGEST_S)
    connection = ldap.initialize(url)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, seconds)
    connection.set_option(ldap.OPT_TIMEOUT, seconds)
    connection.timeout = seconds
    if o.chase_referrals is not None:
        connection.set_option(ldap.OPT_REFERRALS, int(o.chase_referrals))
    encrypted = o.use_tls or url.lower().startswith('ldaps:')
    if encrypted:
        certificates(o, connection)
    try:
        if o.use_tls:
            connection.start_tls_s()
        connection.simple_bind_s(o.user or '', o.password or '')
    except _REFUSALS as e:
        raise _Wrong('user', f'{url} refuses it with the password given ({text(e)})', False) from e
    except _AWAY as e:
        if encrypted and answers_a_stranger(o, url, seconds):
            reason = f'by it the certificate of {url} is not trusted, or that is for another name'
            raise _Wrong(_trust(o), reason, False) from e
        raise _Wrong('url', f'{url} does not answer ({text(e)})', True) from e
    except ldap.LDAPError as e:
        raise _Wrong('url', f'{url} says: {text(e)}', False) from e
    return connection


def answers_a_stranger(o, url: str, seconds: int) -> bool:
    """Whether *url* answers within *seconds* when nobody looks at its certificate: no password is sent there."""
    connection = ldap.initialize(url)
    connection.set_option(ldap.OPT_NETWORK_TIMEOUT, seconds)
    connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_NEVER)
    connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    try:
        if o.use_tls:
            connection.start_tls_s()
        connection.search_ext_s('', ldap.SCOPE_BASE, attrlist=['1.1'], timeout=seconds)
    except _AWAY:
        return False
    except ldap.LDAPError:
        return True
    return True


def _trust(o) -> str:
    return 'tls_cacertfile' if o.tls_cacertfile else 'tls_cacertdir'


def certificates(o, connection) -> None:
    """Have *connection* trust what the domain's file says."""
    if o.tls_cacertfile and not pathlib.Path(o.tls_cacertfile).is_file():
        raise _Wrong('tls_cacertfile', 'this machine has no such file', False)
    if not o.tls_cacertfile and not pathlib.Path(o.tls_cacertdir or '').is_dir():
        raise _Wrong('tls_cacertdir', 'this machine has no such directory', False)
    try:
        if o.tls_cacertfile:
            connection.set_option(ldap.OPT_X_TLS_CACERTFILE, o.tls_cacertfile)
        else:
            connection.set_option(ldap.OPT_X_TLS_CACERTDIR, o.tls_cacertdir)
        connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, _DEMANDS[o.tls_req_cert])
        connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
    except (ldap.LDAPError, ValueError) as e:
        raise _Wrong(_trust(o), 'there is no certificate in it that can be read', False) from e


def look(o, connection) -> None:
    """See that the tree of people is there, and people in it."""
    named = 'user_tree_dn' if o.user_tree_dn else 'suffix'
    tree = o.user_tree_dn or f'ou=Users,{o.suffix}'
    see(connection, named, tree)
    if o.group_tree_dn:
        see(connection, 'group_tree_dn', o.group_tree_dn)
    wanted = (o.user_id_attribute, o.user_name_attribute)
    has = ''.join(f'({ldap.filter.escape_filter_chars(a)}=*)' for a in wanted)
    kind = ldap.filter.escape_filter_chars(o.user_objectclass)
    people = f'(&{o.user_filter or ""}(objectClass={kind}){has})'
    try:
        found = connection.search_ext_s(
            tree, _SCOPES[o.query_scope], people, ['1.1'], sizelimit=1, timeout=connection.timeout
        )
    except ldap.SIZELIMIT_EXCEEDED:
        return
    except ldap.FILTER_ERROR as e:
        raise _Wrong(
            'user_filter', 'it is no filter, such as (memberOf=cn=cloud,dc=example)', False
        ) from e
    if not any(dn for dn, _ in found):
        names = (
            'user_filter, user_objectclass, user_id_attribute, user_name_attribute, query_scope'
        )
        raise _Wrong(named, f'nobody in it goes with {names}', False)


def see(connection, named: str, tree: str) -> None:
    """See that *tree*, of the option *named*, is there."""
    try:
        connection.search_ext_s(
            tree, ldap.SCOPE_BASE, '(objectClass=*)', ['1.1'], timeout=connection.timeout
        )
    except (ldap.NO_SUCH_OBJECT, ldap.INVALID_DN_SYNTAX) as e:
        shown = tree.encode('unicode_escape').decode()[:200]
        raise _Wrong(named, f'the directory has no {shown} that its user may see', False) from e


def probe(domain: str) -> dict[str, object]:
    """What is wrong with the directory of *domain*; empty when nothing is."""
    try:
        o = options(domain)
        wrong = _Wrong('url', 'there is none', False)
        for url in o.url.replace(',', ' ').split():
            try:
                look(o, connect(o, url))
                return {}
            except _Wrong as e:
                wrong = e
                if not e.args[2]:
                    break
            except _AWAY as e:
                wrong = _Wrong('url', f'{url} does not answer ({text(e)})', True)
            except ldap.LDAPError as e:
                wrong = _Wrong('url', f'{url} says: {text(e)}', False)
                break
        option, reason, away = wrong.args
    except (cfg.Error, OSError, ValueError) as e:
        option, reason, away = 'its file', type(e).__name__, False
    return {'option': option, 'reason': reason, 'away': away}


def text(error: ldap.LDAPError) -> str:
    """What *error* says, in one line."""
    said = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    words = dict.fromkeys(str(said[k]).strip() for k in ('desc', 'info') if said.get(k))
    return ' '.join('; '.join(words).split())[:200] or type(error).__name__


def main() -> int:
    """Ask them all at once."""
    domains = sys.argv[1:]
    with concurrent.futures.ThreadPoolExecutor(max_workers=16) as pool:
        found = dict(zip(domains, pool.map(probe, domains), strict=True))
    print(json.dumps({domain: wrong for domain, wrong in found.items() if wrong}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
