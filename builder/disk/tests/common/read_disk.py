"""Reads a disk image with dissect.hypervisor: prints the disk's size and its SHA-256."""

import hashlib
import sys

from dissect.hypervisor.disk.vhd import VHD
from dissect.hypervisor.disk.vhdx import VHDX
from dissect.hypervisor.disk.vmdk import VMDK

FORMATS = {"vhd": VHD, "vhdx": VHDX, "vmdk": VMDK}
# No larger than the smallest block: VHDX.read_sectors takes a read for one block's.
CHUNK = 1 << 20

with open(sys.argv[2], "rb") as image:
    disk = FORMATS[sys.argv[1]](image)
    digest = hashlib.sha256()
    left = disk.size
    while left > 0:
        data = disk.read(min(CHUNK, left))
        if not data:
            sys.exit(f"the disk ends {left} bytes early")
        digest.update(data)
        left -= len(data)
    print(disk.size, digest.hexdigest())
