#!/usr/bin/env python3
"""Makes the first inputs of the fuzz targets out of small images by qemu-img and sgdisk."""

import os
import pathlib
import random
import struct
import subprocess
import tempfile

CORPUS = pathlib.Path(__file__).parent / "corpus"
PIECE = 512

IMAGES = {
    "qcow2": [
        ("qcow2", "compat=0.10,cluster_size=512", []),
        ("qcow2", "compat=1.1,cluster_size=4k", ["-c"]),
        ("qcow2", "compat=1.1", ["-c"]),
        ("qcow2", "compat=1.1,compression_type=zstd", ["-c"]),
    ],
    "vmdk": [
        ("vmdk", "subformat=monolithicSparse,zeroed_grain=on", []),
        ("vmdk", "subformat=streamOptimized", []),
        ("vmdk", "subformat=monolithicFlat", []),
    ],
    "vhdx": [
        ("vhdx", "block_size=1M", []),
        ("vhdx", "block_size=1M,block_state_zero=off", []),
        ("vhdx", "subformat=fixed,block_size=2M", []),
    ],
    "vhd": [
        ("vpc", "subformat=dynamic", []),
        ("vpc", "subformat=fixed,force_size=on", []),
    ],
}


def run(*command, **options):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, **options)


def disk():
    """A disk with text, noise, zeros and holes."""
    noise = random.Random(1)
    data = bytearray(300 * 1024)
    data[:600] = b"some text " * 60
    data[70_000:70_900] = noise.randbytes(900)
    data[-100:] = b"x" * 100
    return bytes(data)


def pack(target, name, data):
    """Writes the pieces of a file that are not zeros, as src/lib.rs wants them."""
    packed = struct.pack("<BH", 0, -(-len(data) // PIECE))
    for number in range(0, -(-len(data) // PIECE)):
        piece = data[number * PIECE : (number + 1) * PIECE]
        if any(piece):
            packed += struct.pack("<H", number) + piece.ljust(PIECE, b"\0")
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(packed)


def undone(vhdx):
    """QEMU's last log entry, which it has marked as done, made undone again."""
    vhdx = bytearray(vhdx)
    for header in (64 << 10, 128 << 10):
        vhdx[header + 48 : header + 64] = vhdx[(1 << 20) + 32 : (1 << 20) + 48]
    return bytes(vhdx)


def images(folder):
    raw = folder / "raw"
    raw.write_bytes(disk())
    for target, variants in IMAGES.items():
        for index, (form, options, extra) in enumerate(variants):
            image = folder / "image"
            image.unlink(missing_ok=True)
            run("qemu-img", "convert", *extra, "-f", "raw", "-O", form, "-o", options, raw, image)
            pack(target, f"qemu-{index}", image.read_bytes())
            if target == "vhdx":
                pack(target, f"qemu-{index}-log", undone(image.read_bytes()))


def tables(folder):
    table = folder / "disk"
    with open(table, "wb") as file:
        file.truncate(2 << 20)
    run("sgdisk", "-a", "1", "-n", "1:100:900", "-n", "14:1000:1200", "-c", "1:root", table)
    pack("partition", "gpt", table.read_bytes())
    with open(table, "wb") as file:
        file.truncate(2 << 20)
    script = "label: dos\nstart=64,size=64\nstart=256,size=3000,type=f\nstart=300,size=100\nstart=600,size=9\n"
    run("sfdisk", "-q", table, input=script.encode())
    pack("partition", "mbr", table.read_bytes())


with tempfile.TemporaryDirectory() as name:
    os.environ["LC_ALL"] = "C"
    images(pathlib.Path(name))
    tables(pathlib.Path(name))
