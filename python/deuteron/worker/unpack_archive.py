"""Unpacks an archive that a client uploaded: unpack_archive.py ARCHIVE FOLDER LIMIT_BYTES. What is wrong goes to standard output.

Nothing is written outside the folder. Standard library alone.
"""

import os
import signal
import stat
import sys
import tarfile
import zipfile

TIME_LIMIT_S = 600


class Refused(Exception):
    """The archive is not what is taken."""


def unpack(archive, folder, limit):
    os.makedirs(folder, mode=0o700)
    if tarfile.is_tarfile(archive):
        _unpack_tar(archive, folder, limit)
    elif zipfile.is_zipfile(archive):
        _unpack_zip(archive, folder, limit)
    else:
        raise Refused("it is neither a zip nor a tar file")


def _unpack_tar(archive, folder, limit):
    with tarfile.open(archive) as file:
        for member in file:
            limit = _take(limit, member.size)
            _check_place(member.name, folder)
            if member.islnk():
                _check_place(member.linkname, folder)
            if member.isfile() or member.isdir() or member.issym() or member.islnk():
                file.extract(member, folder)  # also links to what the machine has, which environments hold


def _unpack_zip(archive, folder, limit):
    with zipfile.ZipFile(archive) as file:
        for member in file.infolist():
            limit = _take(limit, member.file_size)
            path = file.extract(member, folder)
            mode = member.external_attr >> 16
            if stat.S_ISREG(mode) and mode & 0o100:
                os.chmod(path, os.stat(path).st_mode | 0o100)


def _check_place(name, folder):
    """Links that were unpacked before are followed."""
    root = os.path.realpath(folder)
    if os.path.commonpath([root, os.path.realpath(os.path.join(root, name))]) != root:
        raise Refused(f"{name} lies outside")


def _take(limit, size):
    if size > limit:
        raise Refused("its content is larger than a session's artifacts may be")
    return limit - size


def main():
    signal.alarm(TIME_LIMIT_S)
    archive, folder, limit = sys.argv[1:]
    try:
        unpack(archive, folder, int(limit))
    except (Refused, OSError, EOFError, tarfile.TarError, zipfile.BadZipFile) as error:
        print(error)
        sys.exit(1)


if __name__ == "__main__":
    main()
