"""The file object into which PySpark's worker writes a task's result: a region of a slab that grows when needed.

Writing begins 4 bytes before a multiple of 64, because the first thing that PySpark writes is a 4-byte mark: the Arrow
stream after it is then aligned. `result` takes the written bytes apart, so that the server needs to know nothing of them.
"""

import struct

ALIGNMENT = 64
SMALLEST_GROWTH = 1 << 20

END_OF_DATA_SECTION = -1
PYTHON_EXCEPTION_THROWN = -2
TIMING_DATA = -3
START_ARROW_STREAM = -6


class TruncatedOutput(Exception):
    """The worker function ended without saying whether it succeeded."""


class TaskOutput:
    """`report_progress(offset, length)` is called when at least `progress_bytes` of whole Arrow messages were added to
    the stream since the last call; the region then grows from the same offset. 0 switches it off."""

    closed = False

    def __init__(self, slab, offset, report_progress=None, progress_bytes=0):
        self._slab = slab
        self._mapping = slab.writable(offset + ALIGNMENT)
        self.begin = -(-offset // ALIGNMENT) * ALIGNMENT + ALIGNMENT - 4
        self._position = self.begin
        self._report_progress = report_progress
        self._progress_bytes = progress_bytes
        self._reported = self.begin + 4
        self._message_end = self._reported
        self._stream_ended = False

    def writable(self):
        return True

    def write(self, content):
        length = len(content) if isinstance(content, bytes) else memoryview(content).nbytes
        end = self._position + length
        if end > len(self._mapping):
            self._mapping = self._slab.writable(max(end, self._position * 2, SMALLEST_GROWTH))
        self._mapping[self._position : end] = content
        self._position = end
        if self._progress_bytes and end - self._reported >= self._progress_bytes:
            self._progress()
        return length

    def flush(self):
        pass

    def tell(self):
        return self._position - self.begin

    def close(self):
        self._mapping = None

    def _integer(self, position):
        if position + 4 > self._position:
            raise TruncatedOutput()
        return struct.unpack_from("!i", self._mapping, position)[0]

    def _progress(self):
        if self._integer(self.begin) != START_ARROW_STREAM:
            return
        self._walk_arrow_stream()
        if self._message_end - self._reported >= self._progress_bytes:
            self._reported = self._message_end
            self._report_progress(self.begin + 4, self._message_end - self.begin - 4)

    def _walk_arrow_stream(self):
        """Moves `_message_end` behind the last whole Arrow message."""
        while not self._stream_ended and self._message_end + 8 <= self._position:
            metadata_length = struct.unpack_from("<i", self._mapping, self._message_end + 4)[0]
            metadata = self._message_end + 8
            if metadata_length == 0:
                self._stream_ended = True
                self._message_end = metadata
                return
            if metadata + metadata_length > self._position:
                return
            end = metadata + metadata_length + _arrow_body_length(self._mapping, metadata)
            if end > self._position:
                return
            self._message_end = end

    def result(self):
        """What the worker function wrote: a dict with "kind" ("arrow", "pickle" or "none"), "data" [offset, length],
        "traceback" ([offset, length]) or "updates" (of each accumulator [offset, length]). Raises TruncatedOutput. Whether
        the whole input was read, which PySpark says at the very end, does not matter here: the next task has its own."""
        kind, data_begin, data_end = self._data_section()
        result = {"kind": kind, "data": [data_begin, data_end - data_begin]}
        mark = self._integer(data_end)
        if mark == PYTHON_EXCEPTION_THROWN:
            result["traceback"] = [data_end + 8, self._integer(data_end + 4)]
            return result
        if mark != TIMING_DATA or self._integer(data_end + 52) != END_OF_DATA_SECTION:
            raise TruncatedOutput()
        result["updates"] = self._updates(data_end + 56)
        return result

    def _updates(self, count):
        ranges = []
        position = count + 4
        for _ in range(self._integer(count)):
            ranges.append([position + 4, self._integer(position)])
            position += 4 + ranges[-1][1]
        return ranges

    def _data_section(self):
        mark = self._integer(self.begin)
        if mark == START_ARROW_STREAM:
            self._walk_arrow_stream()
            if not self._stream_ended:
                raise TruncatedOutput()
            return "arrow", self.begin + 4, self._message_end
        position = self.begin
        while self._integer(position) >= 0:
            position += 4 + self._integer(position)
        return "none" if position == self.begin else "pickle", self.begin, position


def _arrow_body_length(mapping, metadata):
    """The field bodyLength of an Arrow message, whose flatbuffer begins at `metadata`."""
    table = metadata + struct.unpack_from("<I", mapping, metadata)[0]
    field_table = table - struct.unpack_from("<i", mapping, table)[0]
    if struct.unpack_from("<H", mapping, field_table)[0] < 12:
        return 0
    field = struct.unpack_from("<H", mapping, field_table + 10)[0]
    return struct.unpack_from("<q", mapping, table + field)[0] if field else 0
