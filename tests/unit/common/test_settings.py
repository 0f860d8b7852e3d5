"""Settings: a misspelt name or a value that cannot be used is said, not swallowed."""

from __future__ import annotations

import socket

import pytest

from slicewire.common.settings import PARTS, BadSettings, CommonSettings, described, from_environ


class Settings(CommonSettings, frozen=True, kw_only=True):
    cdi_root: str = "/var/run/cdi"
    kubelet: bool = True
    wait_seconds: float = 5.0


def read(**environ: str) -> Settings:
    return from_environ(Settings, "NODE_PREP", environ)


def test_an_empty_environment_gives_the_defaults() -> None:
    assert read() == Settings()
    assert read().node_name == socket.gethostname()


def test_own_and_shared_settings_have_their_own_names_and_types() -> None:
    given = read(
        SLICEWIRE_NATS_URL="nats://bus:4222",
        SLICEWIRE_NODE_NAME="node-a",
        SLICEWIRE_HEALTH_PORT="8080",
        SLICEWIRE_LOG_LEVEL="debug",
        SLICEWIRE_LOG_FORMAT="text",
        SLICEWIRE_NODE_PREP_CDI_ROOT="/cdi",
        SLICEWIRE_NODE_PREP_KUBELET="false",
        SLICEWIRE_NODE_PREP_WAIT_SECONDS="0.5",
    )
    assert given == Settings(
        nats_url="nats://bus:4222",
        node_name="node-a",
        health_port=8080,
        log_level="debug",
        log_format="text",
        cdi_root="/cdi",
        kubelet=False,
        wait_seconds=0.5,
    )


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("SLICEWIRE_NATS_ULR", "SLICEWIRE_NATS_URL"),
        ("SLICEWIRE_NODE_PREP_CDI_ROT", "SLICEWIRE_NODE_PREP_CDI_ROOT"),
        ("SLICEWIRE_CDI_ROOT", "SLICEWIRE_NODE_PREP_CDI_ROOT"),
        ("SLICEWIRE_NODE_PREP_NATS_URL", "SLICEWIRE_NATS_URL"),
        ("SLICEWIRE_NODE_PREP_WAIT_SECOND", "SLICEWIRE_NODE_PREP_WAIT_SECONDS"),
    ],
)
def test_a_name_nearly_right_is_refused_with_the_right_one(name: str, meant: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read(**{name: "x"})
    assert str(caught.value) == f"{name} is not a setting of node_prep; did you mean {meant}?"


def test_a_name_that_is_like_none_is_refused_with_all_there_are() -> None:
    with pytest.raises(BadSettings, match="SLICEWIRE_XYZZY is not a setting") as caught:
        read(SLICEWIRE_XYZZY="1")
    assert "there are SLICEWIRE_HEALTH_PORT, " in str(caught.value)
    assert "SLICEWIRE_NODE_PREP_CDI_ROOT" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SLICEWIRE_NODE_PREP_WAIT_SECONDS", "soon", "Expected `float`"),
        ("SLICEWIRE_NODE_PREP_KUBELET", "maybe", "Expected `bool`"),
        ("SLICEWIRE_HEALTH_PORT", "http", "Expected `int`"),
        ("SLICEWIRE_HEALTH_PORT", "", "Expected `int`"),
        ("SLICEWIRE_HEALTH_PORT", "-1", "Expected `int` >= 0"),
        ("SLICEWIRE_HEALTH_PORT", "65536", "Expected `int` <= 65535"),
        ("SLICEWIRE_LOG_LEVEL", "LOUD", "debug|info|warning|error"),
        ("SLICEWIRE_LOG_FORMAT", "xml", "there are auto, json, text"),
    ],
)
def test_a_value_that_cannot_be_used_is_named_with_its_variable(name: str, value: str, reason: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read(**{name: value})
    assert str(caught.value).startswith(f"{name}={value!r}: ")
    assert reason in str(caught.value)


def test_the_variable_of_opentelemetry_counts_and_our_own_goes_before_it() -> None:
    assert read(OTEL_EXPORTER_OTLP_ENDPOINT="http://otel:4318").otlp_endpoint == "http://otel:4318"
    both = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://otel:4318", "SLICEWIRE_OTLP_ENDPOINT": "http://own:4318"}
    assert read(**both).otlp_endpoint == "http://own:4318"
    assert read(**dict(reversed(both.items()))).otlp_endpoint == "http://own:4318"


def test_what_is_meant_for_other_parts_or_other_programs_is_ignored() -> None:
    others = {f"SLICEWIRE_{part}_ANYTHING": "x" for part in PARTS if part != "NODE_PREP"}
    assert read(**others, PATH="/bin", NODE_PREP_CDI_ROOT="/x", slicewire_nats_url="y") == Settings()


def test_help_names_every_setting_with_its_default() -> None:
    lines = described(Settings, "NODE_PREP").splitlines()
    assert lines[0] == "settings, from the environment:"
    assert "  SLICEWIRE_NATS_URL (default 'nats://127.0.0.1:4222')" in lines
    assert "  SLICEWIRE_NODE_PREP_CDI_ROOT (default '/var/run/cdi')" in lines
    assert f"  SLICEWIRE_NODE_NAME (default {socket.gethostname()!r})" in lines
    assert len(lines) == 1 + len(Settings.__struct_fields__)
