"""OTLP as protobuf: one message, or those of the collector's file exporter one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from analysis.traces.collector import Collector
from analysis.traces.jsonstream import Record, walked
from analysis.traces.source import UNREADABLE, Source

NESTED = frozenset(
    {
        "resourceSpans",
        "resource_spans",
        "batches",  # Tempo's name
        "scopeSpans",
        "scope_spans",
        "instrumentationLibrarySpans",
        "instrumentation_library_spans",
        "spans",
        "resourceLogs",
        "resource_logs",
        "scopeLogs",
        "scope_logs",
        "instrumentationLibraryLogs",
        "logRecords",
        "log_records",
    }
)
"""Names of the lists in OTLP documents, in all spellings."""


_RESOURCE = b"\n"
"""The tag of a resource with its spans or logs: field 1, with a length."""


def is_protobuf(start: bytes) -> bool:
    """Tell whether bytes begin a message of repeated resources."""
    if start[:1] != _RESOURCE:
        start = _without_length(start)
    if start[:1] != _RESOURCE:
        return False
    # The first resource begins like one: with field 1, 2 or 3.
    size, at = _varint(start, 1)
    return 0 < at < len(start) and size > 0 and start[at] in {0x0A, 0x12, 0x1A}


def _without_length(data: bytes) -> bytes:
    """Return a message without its length: four bytes, big endian, or as protobuf writes it."""
    if data[:1] == b"\x00":
        return data[4:]
    size, at = _varint(data, 0)
    return data[at:] if at > 0 and size > 2 else b""


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return a number of protobuf, and the place after it; 0 if there is none."""
    size = 0
    for i in range(10):
        if at + i >= len(data):
            break
        size |= (data[at + i] & 0x7F) << (7 * i)
        if data[at + i] < 0x80:
            return size, at + i + 1
    return 0, 0


def protobuf_records(source: Source, out: Collector) -> Iterator[Record]:
    try:
        with source.open() as stream:
            yield from _of_messages(stream, source, out)
    except UNREADABLE as error:
        out.skip(source.name, f"it breaks off ({error})")


def _of_messages(stream: BinaryIO, source: Source, out: Collector) -> Iterator[Record]:
    """Yield spans and logs of a message, or of messages each with its length before it."""
    start = stream.read(1)
    if start == b"\x00":  # the collector's file exporter
        length, number = start + stream.read(3), 0
        while len(length) == 4:
            data = stream.read(int.from_bytes(length, "big"))
            yield from _of_message(data, f"{source.name}, message {number}", out)
            length, number = stream.read(4), number + 1
        return
    data = start + stream.read()
    if start == _RESOURCE:
        yield from _of_message(data, source.name, out)
        return
    at = number = 0
    while at < len(data):
        size, begin = _varint(data, at)
        if size == 0 or begin == 0:
            out.skip(f"{source.name}, message {number}", "no length of a message")
            return
        yield from _of_message(data[begin : begin + size], f"{source.name}, message {number}", out)
        at, number = begin + size, number + 1


def _of_message(data: bytes, place: str, out: Collector) -> Iterator[Record]:
    """Yield the spans and logs of a message, resource by resource, as far as it is whole."""
    at = 0
    while at < len(data):
        size, begin = _varint(data, at + 1)
        if data[at : at + 1] != _RESOURCE or begin == 0:
            out.skip(place, f"no OTLP protobuf of traces or logs from byte {at:,} on")
            return
        if begin + size > len(data):
            out.skip(place, f"it breaks off in what begins at byte {at:,}")
            return
        yield from _of_resource(data[at : begin + size], place, out)
        at = begin + size


def _of_resource(data: bytes, place: str, out: Collector) -> Iterator[Record]:
    # Imported where there is such a file: whoever reads another format need not wait for them.
    from google.protobuf.json_format import MessageToDict
    from google.protobuf.message import DecodeError
    from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
    from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

    for kind, name in ((TracesData, "resourceSpans"), (LogsData, "resourceLogs")):
        try:
            message = kind.FromString(data)
        except DecodeError:
            continue
        document = MessageToDict(message)
        records = list(walked(document, place, NESTED, out.skip))
        wanted = "traceId" if name == "resourceSpans" else "timeUnixNano"
        if any(wanted in record.node for record in records):
            yield from records
            return
    out.skip(place, "no OTLP protobuf message of traces or logs")
