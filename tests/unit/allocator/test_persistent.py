"""The persistent mapping, against a dict."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slicewire.allocator.core.persistent import Memo, PersistentMap

CHANGES = st.lists(st.tuples(st.integers(0, 600), st.none() | st.integers()), max_size=60)


@given(CHANGES)
def test_it_holds_what_a_dict_would_hold_and_no_predecessor_changes(
    changes: list[tuple[int, int | None]],
) -> None:
    kept = PersistentMap[int, int]()
    expected: dict[int, int] = {}
    history = [(kept, dict(expected))]
    for key, value in changes:
        if value is None:
            kept = kept.without(key)
            expected.pop(key, None)
        else:
            kept = kept.with_value(key, value)
            expected[key] = value
        history.append((kept, dict(expected)))

    for made, content in history:
        assert {key: made.get(key) for key in made} == content


def test_a_memo_computes_again_only_for_another_object() -> None:
    memo = Memo[int]()
    source, same_value = [1], [1]

    assert [memo.recall(source, lambda: 1), memo.recall(source, lambda: 2)] == [1, 1]
    assert memo.recall(same_value, lambda: 3) == 3
