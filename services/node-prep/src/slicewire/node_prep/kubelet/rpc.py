"""A function as a gRPC method, with the messages it takes and gives."""

from __future__ import annotations

from typing import Any

import grpc


def unary(behaviour: Any, request: Any) -> grpc.RpcMethodHandler[Any, Any]:
    return grpc.unary_unary_rpc_method_handler(
        behaviour, request_deserializer=request.FromString, response_serializer=_serialized
    )


def stream(behaviour: Any, request: Any) -> grpc.RpcMethodHandler[Any, Any]:
    """One question, many answers: `behaviour` is an asynchronous generator."""
    return grpc.unary_stream_rpc_method_handler(
        behaviour, request_deserializer=request.FromString, response_serializer=_serialized
    )


def _serialized(response: Any) -> bytes:
    return bytes(response.SerializeToString())
