"""Refusals as they are met, node after node: what is said of one request in the same words is one group."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from slicewire.common.model import LISTED_DEVICES, DeviceID, NodeName, Refusal, Rule

REASONS_OF_A_KIND = 8
"""More different words than this for one request and rule are put into one group."""


class Group:
    """The devices that the same is said of: how many, the first by name, and the node if it is but one."""

    __slots__ = ("_nodes", "count", "devices")

    def __init__(self) -> None:
        self.count = 0
        self.devices: list[DeviceID] = []
        self._nodes: set[NodeName] = set()

    def note(self, node: NodeName, devices: Sequence[DeviceID]) -> None:
        self.count += len(devices)
        if len(self.devices) < LISTED_DEVICES:
            self.devices += devices[: LISTED_DEVICES - len(self.devices)]
        if len(self._nodes) < 2:
            self._nodes.add(node)

    def join(self, other: Group) -> None:
        self.count += other.count
        self.devices += other.devices[: LISTED_DEVICES - len(self.devices)]
        self._nodes |= other._nodes

    @property
    def node(self) -> NodeName:
        return next(iter(self._nodes)) if len(self._nodes) == 1 else NodeName("")


class Words:
    """What one rule has to say about one request. Of many words the first have a group each."""

    def __init__(self) -> None:
        self._groups: dict[str, Group] = {}
        self._further: set[str] = set()
        self._rest = Group()

    def group(self, message: str) -> Group:
        group = self._groups.get(message)
        if group is None and len(self._groups) <= REASONS_OF_A_KIND:
            group = self._groups[message] = Group()
        if group is None:
            self._further.add(message)
            return self._rest
        return group

    def groups(self) -> Iterator[tuple[str, Group]]:
        if len(self._groups) <= REASONS_OF_A_KIND:
            yield from self._groups.items()
            return
        everything = Group()
        for group in (*self._groups.values(), self._rest):
            everything.join(group)
        others = len(self._groups) + len(self._further) - 1
        yield f"{next(iter(self._groups))}, and {others} more like it", everything


class Tally:
    """All that was met."""

    def __init__(self) -> None:
        self._words: dict[tuple[str, Rule], Words] = {}

    def words(self, request: str, rule: Rule) -> Words:
        words = self._words.get((request, rule))
        if words is None:
            words = self._words[request, rule] = Words()
        return words

    def refusals(self) -> tuple[Refusal, ...]:
        """By request, then by rule, then the largest group first."""
        requests, rules = list(dict.fromkeys(request for request, _ in self._words)), list(Rule)
        found = (
            Refusal(
                rule=rule,
                message=message,
                request=request,
                node=group.node,
                count=group.count,
                devices=tuple(group.devices),
            )
            for (request, rule), words in self._words.items()
            for message, group in words.groups()
        )
        return tuple(sorted(found, key=lambda r: (requests.index(r.request), rules.index(r.rule), -r.count)))
