"""The setting that says how MPS control daemons run."""

from __future__ import annotations

from pathlib import Path

import pytest

from slicewire.common.settings import BadSettings, from_environ
from slicewire.node_prep.mpsoffer import mps_here
from slicewire.node_prep.settings import PART, Settings


def settings(**given: str) -> Settings:
    environ = {f"SLICEWIRE_NODE_PREP_{name}": value for name, value in given.items()}
    return from_environ(Settings, PART, {"SLICEWIRE_NODE_NAME": "node-a", **environ})


def test_daemons_are_processes_beside_the_checkpoint_unless_told_otherwise() -> None:
    here = mps_here(settings(PLUGIN_DIR="/plugins"))
    assert (here.root, here.refused_because) == (Path("/plugins/mps"), "")


def test_turned_off_a_claim_is_told_by_which_setting() -> None:
    assert mps_here(settings(MPS="off")).refused_because == (
        "MPS is turned off on node node-a: SLICEWIRE_NODE_PREP_MPS=off"
    )


def test_in_a_pod_they_are_started_by_a_keeper_beside_the_checkpoint() -> None:
    here = mps_here(settings(MPS="pod", PLUGIN_DIR="/plugins"))
    assert (here.root, here.keeper) == (Path("/plugins/mps"), Path("/plugins/mps-keeper.sock"))
    assert here.refused_because == ""


def test_a_plugin_directory_too_long_for_the_keepers_socket_is_refused() -> None:
    with pytest.raises(BadSettings, match=r"PLUGIN_DIR='/p+': the socket .* of 116 bytes; Linux allows 107"):
        mps_here(settings(MPS="pod", PLUGIN_DIR="/" + "p" * 99))


def test_anything_else_is_refused_with_the_choices() -> None:
    with pytest.raises(BadSettings, match=r"MPS='daemonset'.*there are process, pod, off"):
        settings(MPS="daemonset")
