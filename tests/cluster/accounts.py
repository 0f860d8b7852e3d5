"""The accounts that the manifests have for the parts, on the cluster: a part may do here what it may there.

Roles and admission policies are those of the `prod` overlay. Refuses to install anything: parts are processes
of this machine, with the token of their account.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from tests.cluster.kubectl import SECONDS, Kubectl
from tests.cluster.places import CannotRun, Home
from tests.cluster.polling import comes_true
from tests.deploy.manifests import overlay

PUBLISHER = ("slicewire-system", "slicewire-publisher")
NODE_PREP = ("slicewire-nodes", "slicewire-node-prep")
Account = tuple[str, str]
"""Its namespace and name."""
_KINDS = {
    "Namespace",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
}


def user(account: Account) -> str:
    """The name that the API server has for it."""
    return f"system:serviceaccount:{account[0]}:{account[1]}"


def documents(kinds: set[str] | None = None) -> list[dict[str, Any]]:
    """Accounts, what they may, and what nobody may, of these kinds."""
    return [each for each in overlay("prod") if each["kind"] in (kinds or _KINDS)]


def give(kubectl: Kubectl) -> None:
    """Raises `CannotRun`. A namespace of a test before may be on its way out still."""
    given = yaml.safe_dump_all(documents())
    said = ""

    def is_given() -> bool:
        nonlocal said
        done = kubectl.tried("apply", "--server-side", "--force-conflicts", "-f", "-", given=given)
        said = done.stderr
        return done.returncode == 0

    if not comes_true(is_given, SECONDS):
        raise CannotRun(f"the accounts of the manifests cannot be made: {said}")


def kubeconfig(kubectl: Kubectl, home: Home, account: Account, path: Path) -> Path:
    """Of whoever is this account, for a day."""
    namespace, name = account
    token = kubectl("create", "token", name, "-n", namespace, "--duration=24h").strip()
    document = yaml.safe_load(home.kubeconfig.read_text())
    (named,) = document["users"]
    named["user"] = {"token": token}
    path.touch(mode=0o600)
    path.write_text(json.dumps(document))
    return path
