//! A PowerShell script that makes a Hyper-V machine around the disk.

use crate::machine::{Firmware, Machine};

/// The script for the disk `file`. Generation 2 is UEFI and takes VHDX alone.
#[must_use]
pub fn script(machine: &Machine, file: &str) -> String {
    let Machine { stem, cpus, memory_mib, .. } = machine;
    let generation = match machine.firmware {
        Firmware::Uefi if file.ends_with(".vhdx") => 2,
        Firmware::Uefi | Firmware::Bios => 1,
    };
    let seed = machine.seed.as_ref().map(|seed| format!("(Join-Path $PSScriptRoot '{seed}')"));
    format!(
        "\
# Makes a Hyper-V machine of {stem}. Run it as administrator:
#   .\\{stem}.ps1 [-Generation 1|2] [-Switch NAME] [-Seed FILE.iso]
# The disk must be neither compressed nor sparse on NTFS.
param(
    [string]$Name = '{stem}',
    [ValidateSet(1, 2)][int]$Generation = {generation},
    [string]$Disk = (Join-Path $PSScriptRoot '{file}'),
    [string]$Seed = {seed},
    [string]$Switch = ''
)
$ErrorActionPreference = 'Stop'

$arguments = @{{
    Name = $Name
    Generation = $Generation
    MemoryStartupBytes = {memory_mib}MB
    VHDPath = (Resolve-Path $Disk).Path
}}
if ($Switch) {{ $arguments.SwitchName = $Switch }}
$vm = New-VM @arguments
Set-VM -VM $vm -ProcessorCount {cpus} -AutomaticCheckpointsEnabled $false
if ($Generation -eq 2) {{
    # The boot chain is signed by Microsoft's third-party key, not by the one for Windows.
    Set-VMFirmware -VM $vm -SecureBootTemplate MicrosoftUEFICertificateAuthority
}}
if ($Seed) {{
    if ($Generation -eq 1) {{
        # A machine of generation 1 has an empty drive already.
        Set-VMDvdDrive -VMName $Name -Path (Resolve-Path $Seed).Path
    }} else {{
        Add-VMDvdDrive -VM $vm -Path (Resolve-Path $Seed).Path
    }}
}}
",
        seed = seed.unwrap_or_else(|| "''".to_owned())
    )
}
