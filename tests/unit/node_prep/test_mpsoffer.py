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


def test_pods_are_refused_with_the_reason() -> None:
    with pytest.raises(BadSettings, match=r"SLICEWIRE_NODE_PREP_MPS='pod': .* a node may not write there"):
        mps_here(settings(MPS="pod"))


def test_anything_else_is_refused_with_the_choices() -> None:
    with pytest.raises(BadSettings, match=r"MPS='daemonset'.*there are process, pod, off"):
        settings(MPS="daemonset")
