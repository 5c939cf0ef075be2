"""The gRPC door of a router: the public API of proto/kvorum/v1 over the same service as the HTTP door.

Import this only where the door is opened: grpc itself takes about 150 ms.

A failed call carries its Error in the trailing metadata; the status code is only the nearest word that gRPC
has. The door authenticates nobody: a router that demands signatures keeps it shut or on a private address.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, NoReturn

import grpc
import grpc.aio
import orjson
from google.protobuf.message import Message

from kvorum.model.errors import ApiError
from kvorum.model.limits import REQUEST_BYTES_MAX
from kvorum.proto.kvorum.v1 import kvorum_pb2 as pb
from kvorum.router.protobuf import OPERATIONS, SERVICE, Operation, error_message
from kvorum.router.session import Context, JsonService, Session, unexpected

ERROR_METADATA_KEY = "kvorum-error-bin"
DETAILS_CHARACTERS_MAX = 512
"""The words are also in the Error; this copy is for tools, and proxies limit headers to a few KB."""

_OPTIONS: list[tuple[str, Any]] = [
    # A port that is taken is an error, not a second listener.
    ("grpc.so_reuseport", 0),
    # AWS's limit is on JSON; typed values are smaller, but names of fields are not the only overhead.
    ("grpc.max_receive_message_length", 2 * REQUEST_BYTES_MAX),
    # The client's pings find a dead peer under an idle session; without this the server takes them for abuse.
    ("grpc.http2.min_ping_interval_without_data_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
]

_CODES = {
    "AccessDeniedException": grpc.StatusCode.PERMISSION_DENIED,
    "ConditionalCheckFailedException": grpc.StatusCode.FAILED_PRECONDITION,
    "InternalServerError": grpc.StatusCode.INTERNAL,
    "InvalidSignatureException": grpc.StatusCode.UNAUTHENTICATED,
    "LimitExceededException": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "MissingAuthenticationTokenException": grpc.StatusCode.UNAUTHENTICATED,
    "ProvisionedThroughputExceededException": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "RequestLimitExceeded": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "ResourceInUseException": grpc.StatusCode.FAILED_PRECONDITION,
    "ResourceNotFoundException": grpc.StatusCode.NOT_FOUND,
    "SerializationException": grpc.StatusCode.INVALID_ARGUMENT,
    "ServiceUnavailable": grpc.StatusCode.UNAVAILABLE,
    "ThrottlingException": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "TransactionConflictException": grpc.StatusCode.ABORTED,
    "UnknownOperationException": grpc.StatusCode.UNIMPLEMENTED,
    "UnrecognizedClientException": grpc.StatusCode.UNAUTHENTICATED,
    "ValidationException": grpc.StatusCode.INVALID_ARGUMENT,
}

_UnaryContext = grpc.aio.ServicerContext[Message, Message]


class GrpcDoor:
    """`start` it once, `stop` it once. `session_calls_max`: calls unanswered in one session."""

    def __init__(
        self,
        service: JsonService,
        *,
        credentials: grpc.ServerCredentials | None = None,
        session_calls_max: int = 1_024,
    ) -> None:
        self._service = service
        self._credentials = credentials
        self._session_calls_max = session_calls_max
        self._sessions: set[Session] = set()
        self._stopping = False
        self._server: grpc.aio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, with TLS if there are credentials. Port 0 takes a free one. Returns the port; raises OSError
        when it cannot be had."""
        server = grpc.aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(SERVICE.full_name, self._handlers()),)
        )
        address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        try:
            if self._credentials is None:
                bound = server.add_insecure_port(address)
            else:
                bound = server.add_secure_port(address, self._credentials)
        except RuntimeError as error:
            raise OSError(f"gRPC cannot listen on {address}: {error}") from error
        await server.start()
        self._server = server
        return bound

    async def stop(self, grace_seconds: float) -> None:
        """Take no more calls, finish those that were begun, and cancel what is left after the grace."""
        self._stopping = True
        for session in self._sessions:
            session.drain()
        if self._server is not None:
            await self._server.stop(grace_seconds)

    def _handlers(self) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            operation.name: grpc.unary_unary_rpc_method_handler(
                self._unary(operation),
                request_deserializer=operation.request_class.FromString,
                response_serializer=operation.response_class.SerializeToString,
            )
            for operation in OPERATIONS.values()
        }
        handlers["Session"] = grpc.stream_stream_rpc_method_handler(
            self._session,
            request_deserializer=pb.SessionRequest.FromString,
            response_serializer=pb.SessionResponse.SerializeToString,
        )
        return handlers

    def _unary(self, operation: Operation) -> Callable[[Message, _UnaryContext], Awaitable[Message]]:
        async def call(request: Message, context: _UnaryContext) -> Message:
            response = operation.response_class()
            try:
                body = await self._service.execute_json(operation.name, operation.body(request))
                operation.fill(response, orjson.loads(body))
            except ApiError as error:
                await _abort(context, error)
            except Exception as error:  # noqa: BLE001  the call's outermost door
                await _abort(context, unexpected(operation.name, error))
            return response

        return call

    async def _session(self, _requests: object, context: Context) -> None:
        session = Session(self._service, context, self._session_calls_max)
        if self._stopping:
            session.drain()
        self._sessions.add(session)
        try:
            await session.run()
        finally:
            self._sessions.discard(session)


async def _abort(context: _UnaryContext, error: ApiError) -> NoReturn:
    await context.abort(
        status_code(error),
        error.message[:DETAILS_CHARACTERS_MAX],
        ((ERROR_METADATA_KEY, error_message(error).SerializeToString()),),
    )


def status_code(error: ApiError) -> grpc.StatusCode:
    """The nearest word: the caller's mistakes never look like the server's."""
    fallback = grpc.StatusCode.FAILED_PRECONDITION if error.status < 500 else grpc.StatusCode.INTERNAL
    return _CODES.get(error.code, fallback)
