#!/usr/bin/env python3
"""generate_protocol.py SITE_PACKAGES OUTPUT: C++ code for Spark Connect from the descriptors inside pyspark-client.

The package ships compiled descriptors and no .proto files. Each *_pb2.py holds its descriptor as one bytes literal, read here
without importing anything; google.rpc comes from the .proto files of googleapis-common-protos.
"""
import ast
import pathlib
import subprocess
import sys
import tempfile


def serialized_descriptor(path: pathlib.Path) -> bytes:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "AddSerializedFile":
            return ast.literal_eval(node.args[0])
    raise SystemExit(f"{path} holds no descriptor: another version of pyspark-client than this program knows")


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def file_field(data: bytes) -> bytes:
    """`data` as one entry of google.protobuf.FileDescriptorSet, whose only field is `repeated FileDescriptorProto file = 1`."""
    return b"\x0a" + varint(len(data)) + data


def main() -> None:
    packages, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    folder = packages / "pyspark/sql/connect/proto"
    modules = sorted(path for path in folder.glob("*_pb2.py") if path.name != "example_plugins_pb2.py")
    if not modules:
        raise SystemExit(f"no *_pb2.py in {folder}: is pyspark-client installed there?")
    plugin = subprocess.run(["which", "grpc_cpp_plugin"], capture_output=True, text=True).stdout.strip()
    if not plugin:
        raise SystemExit("grpc_cpp_plugin is missing: Debian package protobuf-compiler-grpc")
    output.mkdir(parents=True, exist_ok=True)
    google = [f"google/rpc/{name}.proto" for name in ("status", "error_details", "code")]
    well_known = [f"google/protobuf/{name}.proto" for name in ("any", "duration", "empty", "struct", "timestamp", "wrappers")]
    with tempfile.TemporaryDirectory() as scratch:
        base = pathlib.Path(scratch) / "google.bin"
        subprocess.run(["protoc", f"-I{packages}", "-I/usr/include", "--include_imports", f"--descriptor_set_out={base}",
                        *well_known, *google], check=True)
        descriptors = pathlib.Path(scratch) / "all.bin"
        descriptors.write_bytes(base.read_bytes() + b"".join(file_field(serialized_descriptor(m)) for m in modules))
        names = [f"spark/connect/{m.name.removesuffix('_pb2.py')}.proto" for m in modules]
        subprocess.run(["protoc", f"--descriptor_set_in={descriptors}", f"--cpp_out={output}", *names, *google], check=True)
        subprocess.run(["protoc", f"--descriptor_set_in={descriptors}", f"--grpc_out={output}",
                        f"--plugin=protoc-gen-grpc={plugin}", "spark/connect/base.proto"], check=True)


if __name__ == "__main__":
    main()
