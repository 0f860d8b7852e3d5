"""What a consumer is to hear, put so that the server can hold it against our rights.

Rights are given by subject, and a request to make a consumer has its filter in the subject only where it
is one filter. So several that are of one node become the one that has them all, and what else that one
brings is passed over.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_KIND, _FIRST_NAME = 3, 4
"""Tokens of a fact's subject: version, `state`, kind, names."""


def filters(subjects: Sequence[str]) -> dict[str, Any]:
    """The part of a consumer's configuration that says what it hears."""
    one = _covering(subjects)
    return {"filter_subject": one} if one else {"filter_subjects": list(subjects)}


def call(stream: str, config: Mapping[str, Any]) -> str:
    """The API call that makes this consumer."""
    named = f"CONSUMER.CREATE.{stream}.{config['name']}"
    return f"{named}.{config['filter_subject']}" if "filter_subject" in config else named


def brings_others(subjects: Sequence[str]) -> bool:
    """Whether what is asked for is not all that comes."""
    return len(subjects) > 1 and bool(_covering(subjects))


def is_wanted(subject: str, subjects: Sequence[str]) -> bool:
    if len(subjects) == 1:
        return True
    return any(
        subject.startswith(wanted[:-1]) if wanted.endswith(">") else subject == wanted for wanted in subjects
    )


def _covering(subjects: Sequence[str]) -> str:
    """One filter that has them all and nothing of another node; "" where there is none."""
    if len(subjects) == 1:
        return subjects[0]
    tokens = [subject.split(".") for subject in subjects]
    begin = {(*each[:_KIND], *each[_FIRST_NAME : _FIRST_NAME + 1]) for each in tokens}
    if len(begin) > 1 or any(len(each) < _FIRST_NAME + 2 for each in tokens):
        return ""
    *version, node = begin.pop()
    return ".".join((*version, "*", node, ">"))
