"""A real LDAP directory (slapd) in the container of a test: a few people, one who may look them up, and TLS."""

from __future__ import annotations

from collections.abc import Callable

HOST = 'directory.example.org'
SUFFIX = 'dc=example,dc=org'
PEOPLE = f'ou=people,{SUFFIX}'
READER = f'cn=reader,{SUFFIX}'
READER_PASSWORD = 'r$ad "me'
PASSWORDS = {'ada': 'pw-of-ada', 'ben': 'pw-of-ben'}
CA = '/etc/ldap/test-ca.pem'

UNIT = 'test-directory'
_SERVE = """\
mkdir -p /run/slapd; chown openldap: /run/slapd
exec slapd -d 0 -h 'ldap:/// ldaps:/// ldapi:///' -u openldap -g openldap
"""
_ANSWERS = """\
for _ in $(seq 100); do ldapsearch -x -H ldapi:/// -s base -b '' >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1
"""
_PRESEED = """\
slapd slapd/password1 password of-the-root
slapd slapd/password2 password of-the-root
slapd slapd/domain string example.org
slapd shared/organization string Example
"""
_PERSON = """\
dn: uid={name},{people}
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {name}
userPassword: {password}

"""
_TLS = """\
dn: cn=config
changetype: modify
add: olcTLSCertificateFile
olcTLSCertificateFile: /etc/ldap/server.pem
-
add: olcTLSCertificateKeyFile
olcTLSCertificateKeyFile: /etc/ldap/server.key
"""
_CERTIFICATES = f"""\
set -e; cd /etc/ldap
openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=a CA of a test' -keyout ca.key -out {CA}
openssl req -newkey rsa:2048 -nodes -subj /CN={HOST} -keyout server.key -out server.csr
printf 'subjectAltName=DNS:{HOST}\\n' > server.ext
openssl x509 -req -in server.csr -CA {CA} -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext -out server.pem
chown openldap: server.key; chmod 600 server.key
"""


def install(shell: Callable[..., str]) -> None:
    """Have slapd serve the people, by LDAP and by LDAPS."""
    # As localhost its certificate would be for the name of the machine.
    shell('sh', '-c', f'echo 127.0.0.1 {HOST} >>/etc/hosts')
    shell('apt-get', 'install', '-y', '-q', '--no-install-recommends', 'debconf-utils', 'openssl')
    shell('debconf-set-selections', input=_PRESEED)
    # The package starts what its own unit cannot be relied on to stop.
    shell(
        'sh',
        '-c',
        "printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d",
    )
    shell(
        'env', 'DEBIAN_FRONTEND=noninteractive',
        'apt-get', 'install', '-y', '-q', '--no-install-recommends', 'slapd', 'ldap-utils',
    )  # fmt: skip
    shell('rm', '/usr/sbin/policy-rc.d')
    shell('sh', '-c', _CERTIFICATES)
    start(shell)
    shell('ldapmodify', '-Q', '-Y', 'EXTERNAL', '-H', 'ldapi:///', input=_TLS)
    unit = f'dn: {PEOPLE}\nobjectClass: organizationalUnit\nou: people\n\n'
    reader = (
        f'dn: {READER}\nobjectClass: organizationalRole\nobjectClass: simpleSecurityObject\n'
        f'cn: reader\nuserPassword: {READER_PASSWORD}\n\n'
    )
    people = ''.join(
        _PERSON.format(name=name, people=PEOPLE, password=password)
        for name, password in PASSWORDS.items()
    )
    root = ('-x', '-D', f'cn=admin,{SUFFIX}', '-w', 'of-the-root', '-H', 'ldap://localhost')
    shell('ldapadd', *root, input=unit + reader + people)


def start(shell: Callable[..., str]) -> None:
    """Have it serve."""
    shell('systemd-run', '--quiet', '--collect', '--unit', UNIT, 'sh', '-c', _SERVE)
    shell('sh', '-c', _ANSWERS)


def stop(shell: Callable[..., str]) -> None:
    """Stop it: nobody listens."""
    shell('systemctl', 'stop', UNIT)


def freeze(shell: Callable[..., str]) -> None:
    """Have it accept connections and never answer."""
    shell('systemctl', 'kill', '--signal', 'STOP', UNIT)


def thaw(shell: Callable[..., str]) -> None:
    """Have it go on."""
    shell('systemctl', 'kill', '--signal', 'CONT', UNIT)
