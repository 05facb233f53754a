"""Slabs: shared memory files of the server, mapped once per worker and kept, because page faults cost most.

A slab's number never names another file. Slabs may grow and never shrink while a worker knows them. Arrays made from a
slab hold a `Lease`, so that the worker can tell when user code has kept one beyond its task.
"""

import fcntl
import mmap
import os
import weakref

import pyarrow


class Lease:
    """Keeps a mapping alive for the buffers cut from it; alive as long as the last of them."""

    __slots__ = ("mapping", "is_file", "__weakref__")

    def __init__(self, mapping, is_file):
        self.mapping = mapping
        self.is_file = is_file

    def let_go(self, begin, end):
        """Of a slab on disk: these bytes need not be in memory any more; who looks at them again reads them again."""
        begin = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE
        if self.is_file and begin < end:
            self.mapping.madvise(mmap.MADV_DONTNEED, begin, end - begin)


class Slab:
    def __init__(self, descriptor):
        self._descriptor = descriptor
        self._readable = None
        self._readable_address = 0
        self._writable = None
        self.is_file = not _is_memory(descriptor)

    def readable(self, end):
        """A read-only mapping of at least `end` bytes and its address. Earlier mappings stay valid."""
        if self._readable is None or len(self._readable) < end:
            self._readable = mmap.mmap(self._descriptor, 0, prot=mmap.PROT_READ)
            if len(self._readable) < end:
                raise ValueError(f"a part ends at {end}, beyond its slab of {len(self._readable)} bytes")
            self._readable_address = pyarrow.py_buffer(self._readable).address
        return self._readable, self._readable_address

    def writable(self, end):
        """A writable mapping of at least `end` bytes; the file grows when it is shorter."""
        if self._writable is None or len(self._writable) < end:
            if os.fstat(self._descriptor).st_size < end:
                os.ftruncate(self._descriptor, end)
            # A larger mapping replaces the old one; a resize would copy nothing more and fail on exported views.
            self._writable = mmap.mmap(self._descriptor, 0)
        return self._writable

    def close(self):
        os.close(self._descriptor)
        self._readable = self._writable = None


def _is_memory(descriptor):
    """Only files in memory have seals."""
    try:
        fcntl.fcntl(descriptor, fcntl.F_GET_SEALS)
    except OSError:
        return False
    return True


class SlabTable:
    """All slabs that the server has shown to this worker."""

    def __init__(self):
        self._slabs = {}
        self._leases = []  # (slab number, weak reference to a lease)

    def add(self, numbers, descriptors):
        for number, descriptor in zip(numbers, descriptors, strict=True):
            if number in self._slabs:
                os.close(descriptor)
            else:
                self._slabs[number] = Slab(descriptor)

    def forget(self, numbers):
        for number in numbers:
            slab = self._slabs.pop(number, None)
            if slab is not None:
                slab.close()

    def __getitem__(self, number):
        return self._slabs[number]

    def lease(self, number, end):
        """A lease on slab `number`, mapped up to `end` at least, with the address of its first byte."""
        mapping, address = self._slabs[number].readable(end)
        lease = Lease(mapping, self._slabs[number].is_file)
        self._leases.append((number, weakref.ref(lease)))
        return lease, address

    def retained(self):
        """The numbers of the slabs from which arrays are still alive."""
        self._leases = [(number, lease) for number, lease in self._leases if lease() is not None]
        return sorted({number for number, _ in self._leases})
