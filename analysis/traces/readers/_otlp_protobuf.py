"""OTLP as protobuf: one message, or those of the collector's file exporter one after another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

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


def is_protobuf(start: bytes) -> bool:
    """Tell whether bytes begin a message of repeated resources (field 1, length-delimited)."""
    if start[:1] != b"\n":
        start = _without_length(start)
    return start[:1] == b"\n" and _parsed_prefix(start)


def _without_length(data: bytes) -> bytes:
    """Return a message without the length that the collector's file exporter writes before it."""
    if data[:1] == b"\x00" and len(data) > 4:
        return data[4:]
    return data


def _parsed_prefix(start: bytes) -> bool:
    """Tell whether the first resource begins like a resource: with field 1 or 2."""
    at, shift, size = 1, 0, 0
    while at < min(len(start), 11):
        size |= (start[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if start[at - 1] < 0x80:
            break
    return at < len(start) and size > 0 and start[at] in {0x0A, 0x12, 0x1A}


def protobuf_records(source: Source, out: Collector) -> Iterator[Record]:
    try:
        with source.open() as stream:
            yield from _of_messages(stream, source, out)
    except UNREADABLE as error:
        out.skip(source.name, f"it breaks off ({error})")


def _of_messages(stream: BinaryIO, source: Source, out: Collector) -> Iterator[Record]:
    """Yield spans and logs of a message, or of messages each with its length before it."""
    start = stream.read(1)
    if start == b"\x00":  # the collector's file exporter: four bytes of length, big endian
        length, number = start + stream.read(3), 0
        while len(length) == 4:
            data = stream.read(int.from_bytes(length, "big"))
            yield from _of_message(data, f"{source.name}, message {number}", out)
            length, number = stream.read(4), number + 1
        return
    yield from _of_message(start + stream.read(), source.name, out)


def _of_message(data: bytes, place: str, out: Collector) -> Iterator[Record]:
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
