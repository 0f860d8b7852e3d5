"""`slicewire credentials`: one folder, files for their owner alone, and nothing half made."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from slicewire.client.credentials.folder import Folder
from slicewire.client.credentials.issuing import Issuer
from slicewire.client.credentialscommand import app
from slicewire.common.bus import identity

pytestmark = pytest.mark.slow

DAYS = 90


class Killed(BaseException):
    """As kill -9 would end it."""


class DyingFolder(Folder):
    """Dies at its nth write: before it, or with the draft already there."""

    def __init__(self, path: Path, writes: int) -> None:
        super().__init__(path)
        self._left = writes

    def write(self, name: str, content: bytes) -> None:
        if not self._left:
            draft = self.path / name
            draft.parent.mkdir(parents=True, exist_ok=True)
            draft.with_name(f".{draft.name}.new").write_bytes(content[:10])
            raise Killed
        self._left -= 1
        super().write(name, content)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in arguments])


def made(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in path.rglob("*") if file.is_file()}


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bus") / "folder"
    assert run("init", path).exit_code == 0
    return path


@pytest.fixture
def folder(original: Path, tmp_path: Path) -> Path:
    path = tmp_path / "folder"
    for name, content in made(original).items():
        Folder(path).write(name, content)
    return path


def test_only_their_owner_reads_the_files(original: Path) -> None:
    for file in original.rglob("*"):
        assert file.stat().st_mode & 0o777 == (0o700 if file.is_dir() else 0o600), file


def test_a_second_time_changes_no_key(folder: Path) -> None:
    before = made(folder)
    assert run("init", folder).exit_code == 0
    after = made(folder)
    before.pop("server/identities.conf")
    after.pop("server/identities.conf")
    assert after == before


@pytest.mark.slow
@pytest.mark.parametrize("writes", range(0, 30, 3))
def test_killed_at_any_write_it_is_made_whole_by_the_next_time(tmp_path: Path, writes: int) -> None:
    dying = DyingFolder(tmp_path, writes)
    try:
        with dying.ours():
            Issuer(dying).begin(["localhost"], DAYS)
    except Killed:
        pass
    assert run("init", tmp_path).exit_code == 0
    assert not list(tmp_path.rglob(".*.new"))
    rows = json.loads(run("list", "-d", tmp_path, "-o", "json").stdout)
    assert {row["who"] for row in rows if row["state"] == "valid"} == {
        *("admin", "allocator", "authority", "publisher", "server", "system", "user")
    }
    issued = {one.name: one.key for one in Issuer(Folder(tmp_path)).issued()}
    for name in ("allocator", "publisher", "user", "admin", "system"):
        assert identity.read(tmp_path / f"clients/{name}.creds").name == name
        assert name in issued


@pytest.mark.parametrize(
    "name", ["../evil", "a/b", "a b", "a.*", ">", "", "a..b", "-x", ".a", "a\n", "ä", "x" * 244]
)
def test_a_name_that_is_none_is_refused_and_nothing_is_made(folder: Path, name: str) -> None:
    before = made(folder)
    ended = run("node", "-d", folder, "--", "node-a", name)
    assert ended.exit_code == 1
    assert "cannot" in ended.output
    assert made(folder) == before


def test_a_server_s_name_that_is_none_is_refused(tmp_path: Path) -> None:
    ended = run("init", tmp_path / "new", "--server", "a,IP:1.2.3.4")
    assert ended.exit_code == 1
    assert "--server='a,IP:1.2.3.4' is neither" in ended.output
    assert not (tmp_path / "new/authority").exists()


def test_each_node_and_reader_gets_a_file_of_its_own(folder: Path) -> None:
    assert run("node", "-d", folder, "node.a", "node-b").exit_code == 0
    assert run("reader", "-d", folder, "grafana").exit_code == 0
    found = identity.read(folder / "clients/nodes/node.a.creds")
    assert (found.role, found.name, found.inbox) == ("node", "node_a", "_INBOX.node.node_a")
    assert identity.read(folder / "clients/readers/grafana.creds").role == "reader"
    before = made(folder)
    assert "is there already" in run("node", "-d", folder, "node.a").output
    assert made(folder) == before


def test_rotating_makes_another_key_and_revoking_takes_back_all_of_them(folder: Path) -> None:
    run("node", "-d", folder, "node-a")
    first = identity.read(folder / "clients/nodes/node-a.creds")
    assert run("rotate", "-d", folder, "node/node-a").exit_code == 0
    assert identity.read(folder / "clients/nodes/node-a.creds").seed != first.seed
    assert "2 keys of node-a revoked" in run("revoke", "-d", folder, "node-a").output
    assert not (folder / "clients/nodes/node-a.creds").exists()
    rows = json.loads(run("list", "-d", folder, "-o", "json").stdout)
    assert [row["state"] for row in rows if row["who"] == "node/node-a"] == ["revoked"]


def test_who_is_meant_must_be_one(folder: Path) -> None:
    run("node", "-d", folder, "twin")
    run("reader", "-d", folder, "twin")
    assert "is the name of several" in run("rotate", "-d", folder, "twin").output
    assert run("rotate", "-d", folder, "reader/twin").exit_code == 0
    ended = run("revoke", "-d", folder, "nobody")
    assert ended.exit_code == 1
    assert "nobody is called 'nobody'; there are admin, allocator" in ended.output


def test_the_certificate_is_renewed_for_the_same_names(folder: Path) -> None:
    before = (folder / "server/tls.pem").read_bytes()
    assert run("rotate", "-d", folder, "server", "--days", "10").exit_code == 0
    assert (folder / "server/tls.pem").read_bytes() != before
    assert run("rotate", "-d", folder, "authority").exit_code == 0
    assert (folder / "clients/ca.crt").read_text().count("BEGIN CERTIFICATE") == 2
    rows = {row["who"]: row["state"] for row in json.loads(run("list", "-d", folder, "-o", "json").stdout)}
    assert rows["server"] == "expires soon"


def test_without_init_it_says_so(tmp_path: Path) -> None:
    ended = run("node", "-d", tmp_path / "nowhere", "node-a")
    assert ended.exit_code == 1
    assert "slicewire credentials init" in ended.output
    assert not (tmp_path / "nowhere").exists()


def test_kubernetes_gets_what_the_overlay_mounts_and_no_node_s_file(folder: Path) -> None:
    run("node", "-d", folder, "node-a")
    objects = list(yaml.safe_load_all(run("kubernetes", "-d", folder).stdout))
    names = {(one["kind"], one["metadata"]["namespace"], one["metadata"]["name"]) for one in objects}
    assert names == {
        ("Secret", "slicewire-system", "slicewire-bus-server"),
        ("Secret", "slicewire-system", "slicewire-bus-allocator"),
        ("Secret", "slicewire-system", "slicewire-bus-publisher"),
        ("ConfigMap", "slicewire-system", "slicewire-bus-authority"),
        ("ConfigMap", "slicewire-nodes", "slicewire-bus-authority"),
    }
    text = json.dumps(objects)
    assert "node-a" not in text
    assert not re.search("operator.seed|ca.pem", text)


def test_every_command_says_what_it_does() -> None:
    for command in ("init", "node", "reader", "rotate", "revoke", "push", "list", "kubernetes"):
        ended = run(command, "--help")
        assert ended.exit_code == 0
        assert len(ended.output.splitlines()) > 5
