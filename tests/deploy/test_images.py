"""What goes into an image: what is locked, and nothing that is not needed."""

from __future__ import annotations

import re
import tomllib

import pytest

from deploy.locks import LOCKS, PARTS, locks
from tests.deploy.manifests import DEPLOY

_DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
_INSTALL = (DEPLOY / "install-part.sh").read_text()


def packages(part: str) -> dict[str, str]:
    """Package → its lines in the lock."""
    blocks = re.split(r"(?m)^(?=[a-z0-9])", (LOCKS / f"{part}.lock").read_text())
    return {block.partition("==")[0]: block for block in blocks if block}


def test_the_locks_are_what_requirements_lock_says() -> None:
    for part, text in locks().items():
        assert (LOCKS / f"{part}.lock").read_text() == text, f"{part}: run python deploy/locks.py"


@pytest.mark.parametrize("part", [*PARTS, "nats", "build"])
def test_every_package_of_a_part_is_pinned_and_hashed(part: str) -> None:
    for name, block in packages(part).items():
        assert re.match(rf"{name}==\S+", block)
        assert "--hash=sha256:" in block, name


def test_a_package_without_a_wheel_is_named_by_the_recipe_and_its_backend_is_locked() -> None:
    """Whatever else has no wheel would be refused on the day that somebody makes an image. What has one file
    only, and so one hash, has no wheel; the others have a wheel and their source, or many wheels."""
    with_one_file = {
        name
        for part in (*PARTS, "nats", "build")
        for name, block in packages(part).items()
        if block.count("--hash=") == 1
    }
    assert set(re.findall(r"--no-binary (\S+)", _INSTALL)) == with_one_file
    assert packages("build").keys() >= {"setuptools", "uv-build"}


def test_only_the_part_that_speaks_to_kubernetes_can() -> None:
    for part in PARTS:
        assert ("kubernetes-asyncio" in packages(part)) is (part == "publisher")
        assert ("aiohttp" in packages(part)) is (part == "publisher"), "nats-py loads it where it is"
        assert ("grpcio" in packages(part)) is (part == "node-prep")
        assert ("nvidia-ml-py" in packages(part)) is (part in {"discovery", "node-prep"})


def test_no_tool_of_development_is_in_an_image() -> None:
    dev = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    tools = {re.split(r"[><=\[]", line)[0] for line in dev} - {"aiohttp", "opentelemetry-proto"}
    for part in (*PARTS, "nats"):
        assert not tools & packages(part).keys()


def test_every_part_of_the_manifests_has_a_lock_and_the_recipe_takes_it() -> None:
    assert {path.stem for path in LOCKS.glob("*.lock")} == {*PARTS, "nats", "build"}
    assert "--require-hashes" in _INSTALL
    assert "deploy/locks/${SERVICE}.lock" in _DOCKERFILE
    assert "install-part.sh" in _DOCKERFILE


def test_the_recipe_names_no_registry_and_ends_as_nobody() -> None:
    bases = re.findall(r"(?m)^FROM (\S+)", _DOCKERFILE)
    assert set(bases) == {"${PYTHON}"}
    assert re.findall(r"(?m)^ARG PYTHON=(\S+)", _DOCKERFILE) == ["python:3.12-slim"]
    assert re.findall(r"(?m)^USER (\S+)", _DOCKERFILE)[-1] == "65532:65532"
    assert not re.search(r"https?://", _DOCKERFILE + _INSTALL)
