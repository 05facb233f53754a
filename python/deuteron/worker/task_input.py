"""The file object from which PySpark's worker reads a task.

It is a sequence of parts, read one after the other: bytes of the task's header, regions of slabs, and marks (a 4-byte
big-endian integer, as PySpark puts between and after Arrow streams). Parts may be announced while earlier ones are read,
so a task can start before its input is complete. `read` copies; `read_buffer`, which pyarrow prefers, does not.
"""

import struct
import weakref

import pyarrow


_MOST_RELEASED = 5000  # parts that are told at once: a message has a bound


class _Region:
    """A region of a slab; buffers cut from it share one lease."""

    def __init__(self, slabs, slab, offset, length):
        self._lease, address = slabs.lease(slab, offset + length)
        self._begin = offset
        self._address = address + offset
        self._view = memoryview(self._lease.mapping)[offset : offset + length]

    def __len__(self):
        return len(self._view)

    def end(self):
        self._lease.let_go(self._begin, self._begin + len(self._view))

    def use(self):
        """A weak reference that is dead when no buffer is left that was cut from it."""
        return weakref.ref(self._lease)

    def copy(self, start, end):
        return bytes(self._view[start:end])

    def buffer(self, start, end):
        return pyarrow.foreign_buffer(self._address + start, end - start, base=self._lease)


class _Bytes:
    """Bytes that belong to the worker: the header, or a mark."""

    def __init__(self, content):
        self._content = content

    def __len__(self):
        return len(self._content)

    def end(self):
        pass

    def copy(self, start, end):
        return self._content[start:end]

    def buffer(self, start, end):
        return pyarrow.py_buffer(self._content[start:end])


class TaskInput:
    """Reads parts in order. `wait_for_parts` is called when all announced parts are consumed and more are to come: it
    must call `announce` before it returns. `report_read(parts, released)` is called when another `report_bytes` have been
    read (0: never): so many parts are read, and these of them nobody looks at any more, which is told once."""

    closed = False

    def __init__(self, slabs, header, wait_for_parts, report_read=None, report_bytes=0):
        self._slabs = slabs
        self._wait_for_parts = wait_for_parts
        self._report_read = report_read
        self._report_bytes = report_bytes
        self._begun = 0  # parts
        self._bytes_to_report = 0
        self._in_use = []  # (number of a part that was begun, weak reference)
        self._parts = []
        self._complete = False
        self._current = _Bytes(header)
        self._position = 0

    def announce(self, parts, complete):
        """Adds parts: [slab, offset, length], or an integer for a mark. `complete`: there are no more."""
        self._parts.extend(parts)
        self._complete = complete

    def readable(self):
        return True

    def read(self, size=-1):
        if size < 0:
            return b"".join(iter(lambda: self.read(1 << 20), b""))
        chunks = []
        while size > 0 and self._advance():
            end = min(len(self._current), self._position + size)
            chunks.append(self._current.copy(self._position, end))
            size -= end - self._position
            self._position = end
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def read_buffer(self, size):
        """The next `size` bytes without a copy, if they lie in one part."""
        if self._advance() and len(self._current) - self._position >= size:
            start = self._position
            self._position += size
            return self._current.buffer(start, self._position)
        return pyarrow.py_buffer(self.read(size))

    def readinto(self, target):
        content = self.read(len(target))
        target[: len(content)] = content
        return len(content)

    def close(self):
        """Drops every reference to slabs."""
        self._current = _Bytes(b"")
        self._position = 0
        self._parts = []
        self._complete = True

    def _advance(self):
        """Moves to the next part when the current one is consumed. False at the end of the input."""
        while self._position >= len(self._current):
            while not self._parts:
                if self._complete:
                    return False
                if self._report_bytes and self._bytes_to_report >= self._report_bytes:
                    self._report()  # or whoever makes the next parts might wait for us to read these
                self._wait_for_parts()
            part = self._parts.pop(0)
            self._current.end()
            self._current = _Bytes(struct.pack("!i", part)) if isinstance(part, int) else _Region(self._slabs, *part)
            self._position = 0
            if self._report_bytes:
                self._count(self._current)
        return True

    def _count(self, part):
        """`part` is begun; those before it are read."""
        if self._bytes_to_report >= self._report_bytes:
            self._report()
        if isinstance(part, _Region):
            self._in_use.append((self._begun, part.use()))
            self._bytes_to_report += len(part)
        self._begun += 1

    def _report(self):
        released = [number for number, use in self._in_use if use() is None][:_MOST_RELEASED]
        told = set(released)
        self._in_use = [entry for entry in self._in_use if entry[0] not in told]
        self._bytes_to_report = 0
        self._report_read(self._begun, released)
