"""Control messages between the server, a zygote and its workers. The full description: docs/worker-protocol.md.

One message is one packet of a SOCK_SEQPACKET unix socket: a JSON object with a "type", and file descriptors beside it
(SCM_RIGHTS). Bulk data never travels here: it rests in shared memory and is named as [slab, offset, length].
"""

import json
import socket

PROTOCOL_VERSION = 1
MAX_MESSAGE_BYTES = 128 * 1024
MAX_DESCRIPTORS = 250

# Imported by the zygote when a worker was seen to import them. Only modules that start no threads on import and that
# survive a fork belong here.
PRELOADABLE_MODULES = frozenset(
    ("torch", "torchvision", "sklearn", "scipy", "tensorflow", "xgboost", "lightgbm", "matplotlib")
)


class ProtocolError(Exception):
    """The peer sent something that this version does not understand; the process must end."""


def send(control, message, descriptors=()):
    """Sends one message; blocks while the socket is full. Raises OSError when the peer has gone."""
    packet = json.dumps(message, separators=(",", ":")).encode()
    if len(packet) > MAX_MESSAGE_BYTES:
        raise ProtocolError(f"a message of {len(packet)} bytes exceeds {MAX_MESSAGE_BYTES}")
    if descriptors:
        socket.send_fds(control, [packet], list(descriptors))
    else:
        control.send(packet)


def receive(control):
    """Waits for one message: (dict, [descriptors]), or (None, []) when the peer has gone."""
    try:
        packet, descriptors, flags, _ = socket.recv_fds(
            control, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
        )
    except ConnectionResetError:  # closed with messages unread
        return None, []
    if not packet:
        return None, []
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        raise ProtocolError("a control message was cut off")
    return json.loads(packet), descriptors
