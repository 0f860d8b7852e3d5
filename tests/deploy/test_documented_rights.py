"""What docs/kubernetes.md says the publisher may is what the manifests let it."""

from __future__ import annotations

import yaml

from tests.deploy.manifests import DEPLOY, of_kind, overlay
from tests.deploy.test_privileges import rights

PAGE = DEPLOY.parent / "docs" / "kubernetes.md"


def test_the_page_and_the_roles_say_the_same() -> None:
    block = PAGE.read_text().partition("## Permissions")[2].partition("```yaml\n")[2].partition("```")[0]
    roles = (*of_kind(overlay("prod"), "ClusterRole"), *of_kind(overlay("prod"), "Role"))
    given = {right for role in roles for right in rights(role["rules"])}
    assert set(rights(yaml.safe_load(block)["rules"])) == given
