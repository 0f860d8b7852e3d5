"""The configuration of the overlay `prod` is one that nats-server takes, with the files it gets there."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from slicewire.client.credentials import manifests
from slicewire.client.credentials.folder import Folder
from slicewire.client.local.broker import find_binary

pytestmark = pytest.mark.slow
CONF = Path(__file__).parents[2] / "deploy/k8s/overlays/prod/nats.conf"


def test_the_server_takes_the_configuration_of_production(folder: Folder, tmp_path: Path) -> None:
    (secret,) = (
        one
        for one in yaml.safe_load_all(manifests.documents(folder))
        if one["metadata"]["name"] == "slicewire-bus-server"
    )
    assert "/etc/nats-tls" in CONF.read_text()
    for place in ("nats", "nats-tls"):
        (tmp_path / place).mkdir()
    for name in secret["data"]:
        (tmp_path / "nats-tls" / name).write_bytes((folder.path / "server" / name).read_bytes())
    conf = tmp_path / "nats/nats.conf"
    conf.write_text(CONF.read_text().replace("/etc/nats-tls", f"{tmp_path}/nats-tls"))
    done = subprocess.run([find_binary(), "-t", "-c", conf], capture_output=True, text=True, check=False)
    assert "is valid" in done.stderr, done.stderr
    (tmp_path / "nats-tls/identities.conf").unlink()
    done = subprocess.run([find_binary(), "-t", "-c", conf], capture_output=True, text=True, check=False)
    assert done.returncode, "without identities it would let everybody in"
