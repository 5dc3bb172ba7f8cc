"""Commands of Juju 3.6 that are not here: each is answered in one line that says why, or what does it here.

Source: the list of commands in cmd/juju/commands/main.go of Juju 3.6.
"""

from __future__ import annotations

_WHY = {
    'one user and one controller are all there is here': (
        'add-user change-user-password disable-user enable-user grant-cloud register remove-user '
        'revoke-cloud show-user unregister migrate enable-ha enable-destroy-controller controller-config dashboard '
        'upgrade-controller upgrade-model sync-agent-binary'
    ),
    'the controller goes with its models: juju destroy-model NAME, then jujulet controller stop': (
        'destroy-controller kill-controller'
    ),
    'here are no Kubernetes clouds': 'add-k8s remove-k8s update-k8s scale-application',
    'juju info NAME says what there is of a charm, juju resources APP what an application has': (
        'charm-resources list-charm-resources'
    ),
    'jujulet backup makes a backup, jujulet restore FILE puts it back': (
        'create-backup download-backup'
    ),
    'clouds are localhost and processes, and need no credentials': (
        'autoload-credentials set-credential default-region update-public-clouds'
    ),
    'storage lives on its machine here: there is none elsewhere to take in': 'import-filesystem',
    'secrets are kept in the model itself': (
        'add-secret-backend list-secret-backends model-secret-backend remove-secret-backend secret-backends '
        'show-secret-backend update-secret-backend'
    ),
    'no firewall is set up: juju expose records what would be open': (
        'firewall-rules list-firewall-rules set-firewall-rule'
    ),
    'keys are added as text: juju add-ssh-key "ssh-ed25519 ..."': 'import-ssh-key',
    'images of bases are built with jujulet image BASE': 'cached-images remove-cached-images',
    'the documentation is in docs/ of this repository': 'documentation',
    'it was given up by Juju itself': (
        'agree agreements budget payloads list-payloads plans sla set-meter-status set-wallet wallets create-wallet'
    ),
}

REASONS: dict[str, str] = {name: why for why, names in _WHY.items() for name in names.split()}
"""By the name of the command."""
