"""The real command `slicewire-node-prep`, in a process that kills itself at a chosen operation on the disk.

    python -m tests.faults.entry <folder of the node> <number of the operation, or -1>

Nothing of the command is replaced: the interpreter tells of each operation before it is done. They are
counted once the file `asked` is in the folder: what is done at a start is not always the same.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

from slicewire.node_prep.__main__ import main as slicewire_node_prep
from tests.component.node_prep.harness import Disk
from tests.faults.doom import Doom

ASKED = "asked"


def main() -> None:
    folder, at = Path(sys.argv[1]), int(sys.argv[2])
    with closing(Disk(folder).open_nvml()) as nvml:
        nvml.look()
    Doom(folder, at if at >= 0 else None).listen(since=folder / ASKED)
    del sys.argv[1:]
    slicewire_node_prep()


if __name__ == "__main__":
    main()
