"""What node-prep and the keeper of MPS control daemons say to each other, and node-prep's side of it.

One line of JSON each way, over a unix socket beside the checkpoint. A request chooses no program, no variable
and no path, so none has to be judged. All of it blocks: call it in a thread.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Annotated

import msgspec

from slicewire.common.settings import BadSettings
from slicewire.node_prep.processes import Running

LONGEST_LINE = 16384
_LONGEST_PATH = 107
"""Bytes; `sun_path` of Linux has 108 with the final zero."""
_PATIENCE_SECONDS = 10.0
_Name = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{16}\Z")]
_Uuid = Annotated[str, msgspec.Meta(pattern=r"^(GPU|MIG)-[A-Za-z0-9/-]+\Z", max_length=96)]


class Start(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """A daemon whose directories are made."""

    daemon: _Name
    devices: Annotated[tuple[_Uuid, ...], msgspec.Meta(min_length=1, max_length=64)]
    multi_user: bool
    own_libraries: bool
    """Whether links to the driver's libraries lie in its folder."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The process, or why there is none."""

    process: Running | None = None
    refused: str = ""


def socket_of(plugin_dir: Path) -> Path:
    """Raises `BadSettings` for a path that no socket can have."""
    path = plugin_dir / "mps-keeper.sock"
    if (length := len(os.fsencode(path))) > _LONGEST_PATH:
        raise BadSettings(
            f"SLICEWIRE_NODE_PREP_PLUGIN_DIR={str(plugin_dir)!r}: the socket {path} would have a path of"
            f" {length} bytes; Linux allows {_LONGEST_PATH}"
        )
    return path


def ask(keeper: Path, start: Start) -> Running | str:
    """The process that the keeper has started, or the reason for none."""
    try:
        answer = msgspec.json.decode(_said(keeper, msgspec.json.encode(start) + b"\n"), type=Answer)
    except OSError as error:
        return (
            f"the MPS keeper does not answer at {keeper} ({error.strerror or error}): its pod, of the"
            " DaemonSet slicewire-mps-keeper, must run on this node"
        )
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return f"the MPS keeper at {keeper} gives no answer that can be read: {error}"
    return answer.process or answer.refused or "the MPS keeper gives no reason"


def _said(keeper: Path, line: bytes) -> bytes:
    if keeper.is_symlink():
        raise OSError("it is a link; remove it")
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(_PATIENCE_SECONDS)
        asking.connect(str(keeper))
        asking.sendall(line)
        with asking.makefile("rb") as answers:
            return answers.readline(LONGEST_LINE)
