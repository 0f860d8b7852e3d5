"""Join the bus as the settings say: who we are, whom we believe, on how many servers streams are kept."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from slicewire.common.bus.nats import NatsBus, connected
from slicewire.common.bus.streams import Retention
from slicewire.common.settings import CommonSettings


def joined(settings: CommonSettings, name: str) -> AbstractAsyncContextManager[NatsBus]:
    """See `connected`: waits for a server for ever."""
    return connected(
        settings.nats_url,
        name=name,
        credentials=settings.nats_credentials,
        authority=settings.nats_ca,
        retention=Retention(replicas=settings.nats_replicas),
    )
