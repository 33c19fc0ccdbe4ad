"""What other people's readers make of the outputs in a folder, each against the raw disk.

Usage: outputs.py FOLDER STEM. Fails with a message at the first thing that is not as it
should be; prints one line for each judgement.
"""

import ast
import hashlib
import sys
import tarfile
import xml.etree.ElementTree as ET
from pathlib import Path

import tree_sitter_powershell
import xxhash
from dissect.archive.xva import XVA
from dissect.hypervisor.descriptor.ovf import OVF
from dissect.hypervisor.descriptor.vmx import VMX
from tree_sitter import Language, Parser

CHUNK = 1 << 20
SECTOR = 512
OVF_NS = "{http://schemas.dmtf.org/ovf/envelope/1}"
RASD = "{http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData}"


def check(holds, what):
    if not holds:
        sys.exit(f"outputs.py: {what}")
    print(what)


def check_quietly(holds, what):
    if not holds:
        sys.exit(f"outputs.py: {what}: not as it should be")


def ova(path, stem):
    with tarfile.open(path) as archive:
        members = archive.getmembers()
        names = [member.name for member in members]
        expected = [f"{stem}.ovf", f"{stem}.mf", f"{stem}-disk1.vmdk"]
        check(names == expected, "OVA: the envelope first, then manifest and disk")
        check({m.mtime for m in members} == {members[0].mtime}, "OVA: one time")
        envelope, manifest, disk = (archive.extractfile(name).read() for name in names)
    lines = manifest.decode().splitlines()
    said = dict(line.removeprefix("SHA256(").split(")= ") for line in lines)
    digests = {names[0]: envelope, names[2]: disk}
    for name, data in digests.items():
        check(said.pop(name) == hashlib.sha256(data).hexdigest(), f"OVA: digest of {name}")
    check(not said, "OVA: nothing else in the manifest")
    eos = disk[-SECTOR:]
    check(eos == bytes(SECTOR), "OVA: the disk ends with the end-of-stream marker")
    check(upto_eos(disk) == len(disk), "OVA: a reader that stops at the marker has it all")
    root = ET.fromstring(envelope)
    file = root.find(f"{OVF_NS}References/{OVF_NS}File")
    check(int(file.get(f"{OVF_NS}size")) == len(disk), "OVF: the size of the disk's file")
    check(not file.get(f"{OVF_NS}href").startswith("/"), "OVF: a relative href")
    with tarfile.open(path) as archive:
        parsed = OVF(archive.extractfile(names[0]))
        check(list(parsed.disks()) == [names[2]], "OVF: dissect finds the disk")
    rules(root)


def upto_eos(disk):
    """Where a reader of the stream stops: it goes from marker to marker to type 0."""
    at = int.from_bytes(disk[64:72], "little") * SECTOR  # overHead
    while True:
        value = int.from_bytes(disk[at : at + 8], "little")
        size = int.from_bytes(disk[at + 8 : at + 12], "little")
        if size:
            at += (12 + size + SECTOR - 1) // SECTOR * SECTOR
            continue
        kind = int.from_bytes(disk[at + 12 : at + 16], "little")
        at += SECTOR * (1 + value)
        if kind == 0:
            return at


def rules(root):
    """The rules of DSP0243 1.1 that docs/formats.md states."""
    sections = [child.tag.removeprefix(OVF_NS) for child in root]
    expected = ["References", "DiskSection", "NetworkSection", "VirtualSystem"]
    check(sections == expected, "OVF: the sections in order")
    ids = {f.get(f"{OVF_NS}id") for f in root.iter(f"{OVF_NS}File")}
    disks = list(root.iter(f"{OVF_NS}Disk"))
    check({d.get(f"{OVF_NS}fileRef") for d in disks} == ids, "OVF: every file is a disk")
    form = disks[0].get(f"{OVF_NS}format")
    check(form.endswith("vmdk.html#streamOptimized"), "OVF: the format's URI")
    items = [{c.tag.removeprefix(RASD): c.text for c in item} for item in root.iter(f"{OVF_NS}Item")]
    numbers = [item["InstanceID"] for item in items]
    check(len(set(numbers)) == len(numbers), "OVF: instance ids are unique")
    parents = {item["Parent"] for item in items if "Parent" in item}
    check(parents <= set(numbers), "OVF: parents exist")
    hosts = [item["HostResource"] for item in items if "HostResource" in item]
    wanted = [f"ovf:/disk/{d.get(f'{OVF_NS}diskId')}" for d in disks]
    check(hosts == wanted, "OVF: the drive refers to the disk")
    for item in items:
        check_quietly(list(item) == sorted(item), f"OVF: order of item {item['InstanceID']}")


def xva(path, raw):
    with path.open("rb") as file:
        archive = XVA(file)
        disks = list(archive.disks())
        check(len(disks) == 1, "XVA: dissect finds one disk")
        # dissect 1.8 leaves out the last chunk: of its reader only the size is asked.
        size = archive.open(disks[0]).size
        check(size == (raw.stat().st_size + CHUNK - 1) // CHUNK * CHUNK, "XVA: its size")
    with tarfile.open(path) as archive, raw.open("rb") as disk:
        members = archive.getmembers()
        check(members[0].name == "ova.xml", "XVA: the description first")
        digests = {member.name: member for member in members[2::2]}
        chunks = {int(member.name.split("/")[1]): member for member in members[1::2]}
        check(list(chunks) == sorted(chunks), "XVA: chunks in order")
        for index in range(size // CHUNK):
            expected = disk.read(CHUNK).ljust(CHUNK, b"\0")
            if index not in chunks:
                check_quietly(expected == bytes(CHUNK), f"XVA: chunk {index} is left out")
                continue
            data = archive.extractfile(chunks[index]).read()
            check_quietly(data == expected, f"XVA: chunk {index}")
            said = archive.extractfile(digests[f"{chunks[index].name}.xxhash"]).read()
            wanted = xxhash.xxh64(data).hexdigest().upper()
            check_quietly(said.decode() == wanted, f"XVA: digest of chunk {index}")
        check(0 in chunks and size // CHUNK - 1 in chunks, "XVA: first and last chunk, all alike")


def powershell(path):
    source = path.read_bytes()
    tree = Parser(Language(tree_sitter_powershell.language())).parse(source)
    check(not tree.root_node.has_error, f"{path.name}: the PowerShell grammar takes it")
    for cmdlet in [b"New-VM ", b"Set-VM ", b"Set-VMFirmware "]:
        check(cmdlet in source, f"{path.name}: calls {cmdlet.decode().strip()}")


def xl(path):
    """xl.cfg(5): assignments of numbers, strings and lists, which is Python's syntax too."""
    values = {}
    for statement in ast.parse(path.read_text()).body:
        check_quietly(isinstance(statement, ast.Assign), path.name)
        values[statement.targets[0].id] = ast.literal_eval(statement.value)
    check(values["type"] in ("hvm", "pv"), f"{path.name}: a type")
    check(isinstance(values["memory"], int) and values["memory"] > 0, f"{path.name}: memory")
    for disk in values["disk"]:
        keys = dict(part.strip().split("=", 1) for part in disk.split(",") if "=" in part)
        check({"format", "vdev", "access", "target"} <= set(keys), f"{path.name}: a disk")


def vmx(path):
    parsed = VMX.parse(path.read_text())
    check(parsed.disks() == [f"{path.stem}.vmdk"], "vmx: dissect finds the disk")


def main(folder, stem):
    ova(folder / f"{stem}.ova", stem)
    xva(folder / f"{stem}.xva", folder / f"{stem}.raw")
    powershell(folder / f"{stem}.ps1")
    xl(folder / f"{stem}.xl.cfg")
    xl(folder / f"{stem}.pygrub.cfg")
    vmx(folder / f"{stem}-vmware" / f"{stem}.vmx")


main(Path(sys.argv[1]), sys.argv[2])
