"""One router as a client sees it: a channel, and the only place that knows gRPC's errors.

A call is sent only over a connection that is up. So whatever goes wrong before is definite, and whatever gRPC
itself reports after (connection lost, deadline, cancelled) leaves a write's outcome unknown: gRPC does not
tell how far a request came.
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import grpc
import grpc.aio
from google.protobuf.message_factory import GetMessageClass

from kvorum.client import errors
from kvorum.client.errors import KvorumError, Unavailable
from kvorum.client.operations import Operation
from kvorum.client.retries import Failure
from kvorum.client.values import read_item
from kvorum.model.limits import REQUEST_BYTES_MAX
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb

T = TypeVar("T")

ERROR_METADATA_KEY = "kvorum-error-bin"

_SERVICE = pb.DESCRIPTOR.services_by_name["KeyValue"]

_OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_receive_message_length", 2 * REQUEST_BYTES_MAX),
    # An Error in the trailing metadata may hold a whole item, in base64.
    ("grpc.max_metadata_size", 1 << 20),
    ("grpc.absolute_max_metadata_size", 1 << 20),
    # A dead peer is found within 15 seconds, a live one again within a second.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # Each client has its own connections. (Of retries gRPC does by itself only the transparent ones, of calls
    # that no router has seen.)
    ("grpc.use_local_subchannel_pool", 1),
]

_NEVER_BEGUN = frozenset({grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.UNAUTHENTICATED})

Stream = grpc.aio.StreamStreamCall[pb.SessionRequest, pb.SessionResponse]


class Endpoint:
    """`address`: "host:port". Made within the event loop that uses it."""

    def __init__(self, address: str, credentials: grpc.ChannelCredentials | None) -> None:
        self.address = address
        if credentials is None:
            self._channel = grpc.aio.insecure_channel(address, options=_OPTIONS)
        else:
            self._channel = grpc.aio.secure_channel(address, credentials, options=_OPTIONS)
        self._unary = {
            method.name: self._channel.unary_unary(
                f"/{_SERVICE.full_name}/{method.name}",
                request_serializer=GetMessageClass(method.input_type).SerializeToString,
                response_deserializer=GetMessageClass(method.output_type).FromString,
            )
            for method in _SERVICE.methods
            if not method.client_streaming
        }
        self._session = self._channel.stream_stream(
            f"/{_SERVICE.full_name}/Session",
            request_serializer=pb.SessionRequest.SerializeToString,
            response_deserializer=pb.SessionResponse.FromString,
        )

    @property
    def connected(self) -> bool:
        return self._channel.get_state() is grpc.ChannelConnectivity.READY

    async def call(self, operation: Operation[T], timeout_seconds: float) -> T | Failure:
        """One attempt over a connection that is up; see `connect`."""
        try:
            response = await self._unary[operation.name](operation.request, timeout=timeout_seconds)
        except grpc.aio.AioRpcError as error:
            return _failure(error, operation.writes)
        return operation.read(response)

    async def connect(self, timeout_seconds: float) -> Failure | None:
        """Until the connection is up; gives up at the first refusal."""
        try:
            async with asyncio.timeout(timeout_seconds):
                state = self._channel.get_state(try_to_connect=True)
                while state is not grpc.ChannelConnectivity.READY:
                    if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                        return self._no_connection("refused")
                    await self._channel.wait_for_state_change(state)
                    state = self._channel.get_state(try_to_connect=True)
        except TimeoutError:
            return self._no_connection(f"none within {timeout_seconds:.3g} s")
        return None

    def open_session(self) -> Stream:
        return self._session(None)

    async def close(self) -> None:
        await self._channel.close(None)

    def _no_connection(self, reason: str) -> Failure:
        error = Unavailable("ServiceUnavailable", f"no connection to {self.address}: {reason}")
        return Failure(error, elsewhere=True)


def error_of(error: pb.Error, *, writes: bool) -> KvorumError:
    """The exception for what a router answered."""
    item = read_item(error.item) if error.HasField("item") else None
    return errors.answered(error.code, error.message, definite=error.definite, writes=writes, item=item)


def lost(error: grpc.RpcError | None, *, writes: bool) -> KvorumError:
    """The exception for a call that was sent and not answered. None: the stream has ended without a word."""
    if not isinstance(error, grpc.aio.AioRpcError):
        return errors.unknown("ConnectionLost", "the connection was lost before the answer", writes=writes)
    code = "DeadlineExceeded" if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED else "ConnectionLost"
    return errors.unknown(code, f"{error.code().name}: {error.details() or ''}", writes=writes)


def _failure(error: grpc.aio.AioRpcError, writes: bool) -> Failure:
    metadata: Any = error.trailing_metadata()
    answer = metadata.get(ERROR_METADATA_KEY)
    if answer is not None:
        return Failure(error_of(pb.Error.FromString(answer), writes=writes), elsewhere=False)
    if error.code() in _NEVER_BEGUN:
        return Failure(
            errors.answered(error.code().name, error.details() or "", definite=True, writes=writes),
            elsewhere=False,
        )
    return Failure(lost(error, writes=writes), elsewhere=True)
