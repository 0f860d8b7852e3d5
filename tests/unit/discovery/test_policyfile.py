"""The policy file, while the operator edits it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slicewire.common.settings import BadSettings
from slicewire.discovery.core.policy import Choice, NodePolicy
from slicewire.discovery.policyfile import PolicyFile, PolicyRead

HEADER = "apiVersion: slicewire.dev/v1alpha1\nkind: NodePolicy\n"
SHARED = NodePolicy(default=Choice(shares=4))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "policy.yaml"
    file.write_text(f"{HEADER}default: {{shares: 4}}\n")
    return file


def test_without_a_file_the_default_holds() -> None:
    assert PolicyFile().read() == PolicyRead(NodePolicy())


def test_a_change_of_the_file_is_in_force_at_the_next_look(path: Path) -> None:
    file = PolicyFile(path)
    assert file.read() == PolicyRead(SHARED)
    path.write_text(HEADER)
    assert file.read() == PolicyRead(NodePolicy())


def test_a_file_spoilt_later_leaves_the_last_good_policy_and_says_so(path: Path) -> None:
    file = PolicyFile(path)
    path.write_text(f"{HEADER}default: {{shares: 0}}\n")
    read = file.read()
    assert read.policy == SHARED
    (said,) = read.unseen
    assert said.what == f"node policy {path}"
    assert "default.shares: 0" in said.reason
    assert "last good policy is in force" in said.reason
    path.unlink()
    assert "No such file" in file.read().unseen[0].reason


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"{", "it is not YAML"),
        (b"\xff\xfe\xfa", "it is not"),
        (b"a: !!python/object:os.system {}", "it is not YAML"),
        (b"", "a policy is a mapping"),
        (b"kind: NodePolicy", "apiVersion: None is not slicewire.dev/v1alpha1"),
    ],
)
def test_at_the_start_a_policy_that_cannot_be_used_is_the_operators_to_mend(
    path: Path, content: bytes, words: str
) -> None:
    path.write_bytes(content)
    with pytest.raises(BadSettings, match=words) as refused:
        PolicyFile(path)
    assert str(path) in str(refused.value)


def test_a_pipe_in_place_of_the_file_is_not_waited_for(path: Path) -> None:
    file = PolicyFile(path)
    path.unlink()
    os.mkfifo(path)
    read = file.read()
    assert read.policy == SHARED
    assert read.unseen[0].reason.startswith("it is not a file; the last good policy")
    with pytest.raises(BadSettings, match="it is not a file"):
        PolicyFile(path)


def test_a_link_is_followed_as_kubernetes_mounts_files(path: Path) -> None:
    link = path.with_name("mounted.yaml")
    link.symlink_to(path)
    assert PolicyFile(link).read() == PolicyRead(SHARED)


def test_at_the_start_a_policy_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match="No such file"):
        PolicyFile(tmp_path / "policy.yaml")
