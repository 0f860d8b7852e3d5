"""The policy that docs/health.md shows is one, and says the defaults where it says so."""

from __future__ import annotations

from pathlib import Path

import msgspec
import yaml

from slicewire.discovery.core.health.ailments import TAINT_KEYS
from slicewire.discovery.core.health.rules import Effect, HealthRules, Rule, XidRule
from slicewire.discovery.core.policychecks import checked

DOCS = (Path(__file__).parents[4] / "docs" / "health.md").read_text()


def test_the_example_is_the_default_but_for_the_two_lines_that_say_so() -> None:
    example = checked(yaml.safe_load(DOCS.partition("```yaml\n")[2].partition("```")[0]))
    assert example.health == msgspec.structs.replace(
        HealthRules(),
        xid=XidRule(effects={79: Effect.NO_EXECUTE}),
        gpu_lost=Rule(effect=Effect.NO_EXECUTE),
    )


def test_every_taint_is_in_the_table() -> None:
    assert all(f"| `{key}` |" in DOCS for key in TAINT_KEYS.values())
