"""Nodes and node selectors (core/v1), as far as device placement needs them."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from slicewire.common.model.meta import ObjectMeta
from slicewire.common.model.struct import Object


class NodeSelectorRequirement(Object, frozen=True):
    key: str
    operator: str
    values: tuple[str, ...] = ()


class NodeSelectorTerm(Object, frozen=True):
    match_expressions: tuple[NodeSelectorRequirement, ...] = ()
    match_fields: tuple[NodeSelectorRequirement, ...] = ()


class NodeSelector(Object, frozen=True):
    node_selector_terms: tuple[NodeSelectorTerm, ...] = ()


class Node(Object, frozen=True):
    API_VERSION: ClassVar[str] = "v1"
    KIND: ClassVar[str] = "Node"

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
