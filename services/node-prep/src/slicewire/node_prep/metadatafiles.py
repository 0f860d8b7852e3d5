"""Device metadata on disk: the files that containers read, and the CDI specs that mount them.

They are a courtesy: who calls logs a `DiskFault` and goes on, for the devices work without. All of it
blocks: call it in a thread.
"""

from __future__ import annotations

from pathlib import Path

from slicewire.common.model import DriverName
from slicewire.node_prep import files
from slicewire.node_prep.core import metadata
from slicewire.node_prep.core.described import Described
from slicewire.node_prep.core.metadata import MetadataFile
from slicewire.node_prep.core.node import Claim
from slicewire.node_prep.files import READABLE_BY_ALL, Kept

_KEPT = Kept.UNTIL_A_POWER_CUT
"""Every start makes those again that are not as they should be."""


class MetadataFiles:
    """`plugin_dir` is the same path here and on the host: the kubelet wants it so."""

    def __init__(self, driver: DriverName, plugin_dir: Path, cdi_root: Path) -> None:
        self._driver = driver
        self._plugin_dir = plugin_dir
        self._cdi_root = cdi_root

    def write(self, described: Described) -> None:
        """All files of the claim; again after a reboot took the specs. Raises `DiskFault`."""
        for file in metadata.files_of(described):
            path = self._plugin_dir / file.path
            files.refuse_links(self._plugin_dir, path.parent)
            self._write_file(path, file)
            mounting, spec = self._spec(described, file)
            files.write_if_changed(mounting, spec, READABLE_BY_ALL, _KEPT)

    def are_written(self, described: Described) -> bool:
        """All of them, as `write` would leave them. Raises `DiskFault`."""
        return all(self._is_written(described, file) for file in metadata.files_of(described))

    def remove(self, claim: Claim) -> None:
        """Nothing of this claim is left; a later claim of the same name keeps its own. Raises `DiskFault`."""
        present = files.names(self._cdi_root)
        for name in metadata.cdi_files_among(present, self._driver, claim.uid):
            files.delete(self._cdi_root / name, _KEPT)
        if not (claim.namespace and claim.name):
            return
        folder = self._plugin_dir / metadata.folder_of(claim)
        for request in files.names(folder):
            if self._is_of(claim, folder / request / metadata.FILE):
                files.delete_all(folder / request)
        if not files.names(folder):
            files.delete_all(folder)

    def _is_written(self, described: Described, file: MetadataFile) -> bool:
        path = self._plugin_dir / file.path
        data = files.read(path)
        known = None if data is None else metadata.decoded(data)
        mounting, spec = self._spec(described, file)
        return (
            known is not None
            and data == metadata.encoded(file.content, known.metadata.generation)
            and files.read(mounting) == spec
        )

    def _spec(self, described: Described, file: MetadataFile) -> tuple[Path, bytes]:
        """What mounts the file: where it is, and what is in it."""
        name = metadata.cdi_file_name(self._driver, described.claim.uid, file.request)
        spec = metadata.cdi_spec(described, file.request, str(self._plugin_dir / file.path))
        return self._cdi_root / name, spec

    def _is_of(self, claim: Claim, path: Path) -> bool:
        """One that cannot be read is nobody's, and goes."""
        data = files.read(path)
        found = None if data is None else metadata.decoded(data)
        return found is None or found.metadata.uid == claim.uid

    def _write_file(self, path: Path, file: MetadataFile) -> None:
        """A new file in place of the old: a container that runs goes on to read what it was given."""
        data = files.read(path)
        known = None if data is None else metadata.decoded(data)
        generation = 1
        if known is not None and known.metadata.uid == file.content.metadata.uid:
            generation = known.metadata.generation
            if data != metadata.encoded(file.content, generation):
                generation += 1
        files.write_if_changed(path, metadata.encoded(file.content, generation), READABLE_BY_ALL, _KEPT)
