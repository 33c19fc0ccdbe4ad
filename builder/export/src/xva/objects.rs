//! The objects of an XVA: the machine with its disk, and the storage and network it refers
//! to. The importing host replaces storage and network by its own.

use super::record::{Fixed, Value};
use crate::machine::{Firmware, Machine};
use crate::xml::Xml;

const VM: &str = "Ref:0";
const SR: &str = "Ref:1";
/// The disk, whose chunks lie in a folder of this name.
pub(super) const VDI: &str = "Ref:2";
const VBD: &str = "Ref:3";
const NETWORK: &str = "Ref:4";
const VIF: &str = "Ref:5";
const NULL: Fixed = Fixed::Text("OpaqueRef:NULL");

type Fields = &'static [(&'static str, Fixed)];

use Fixed::{Bool, NoList, NoStruct, NoTime, Text};

const VM_FIELDS: Fields = &[
    ("actions_after_crash", Text("restart")),
    ("actions_after_reboot", Text("restart")),
    ("actions_after_shutdown", Text("destroy")),
    ("affinity", NULL),
    ("allowed_operations", NoList),
    ("attached_PCIs", NoList),
    ("blobs", NoStruct),
    ("blocked_operations", NoStruct),
    ("children", NoList),
    ("consoles", NoList),
    ("crash_dumps", NoList),
    ("current_operations", NoStruct),
    ("domain_type", Text("hvm")),
    ("domarch", Text("")),
    ("domid", Text("-1")),
    ("generation_id", Text("")),
    ("guest_metrics", NULL),
    ("ha_always_run", Bool(false)),
    ("ha_restart_priority", Text("")),
    ("hardware_platform_version", Text("0")),
    ("has_vendor_device", Bool(false)),
    ("HVM_boot_policy", Text("BIOS order")),
    ("HVM_shadow_multiplier", Text("1")),
    ("is_a_snapshot", Bool(false)),
    ("is_a_template", Bool(false)),
    ("is_control_domain", Bool(false)),
    ("is_default_template", Bool(false)),
    ("is_snapshot_from_vmpp", Bool(false)),
    ("is_vmss_snapshot", Bool(false)),
    ("last_boot_CPU_flags", NoStruct),
    ("last_booted_record", Text("")),
    ("memory_overhead", Text("0")),
    ("memory_target", Text("0")),
    ("metrics", NULL),
    ("NVRAM", NoStruct),
    ("order", Text("0")),
    ("parent", NULL),
    ("PCI_bus", Text("")),
    ("power_state", Text("Halted")),
    ("PV_args", Text("")),
    ("PV_bootloader", Text("")),
    ("PV_bootloader_args", Text("")),
    ("PV_kernel", Text("")),
    ("PV_legacy_args", Text("")),
    ("PV_ramdisk", Text("")),
    ("recommendations", Text("")),
    ("reference_label", Text("other-install-media")),
    ("requires_reboot", Bool(false)),
    ("resident_on", NULL),
    ("shutdown_delay", Text("0")),
    ("snapshot_info", NoStruct),
    ("snapshot_metadata", Text("")),
    ("snapshot_of", NULL),
    ("snapshot_time", NoTime),
    ("snapshots", NoList),
    ("start_delay", Text("0")),
    ("suspend_SR", NULL),
    ("suspend_VDI", NULL),
    ("tags", NoList),
    ("transportable_snapshot_id", Text("")),
    ("user_version", Text("1")),
    ("VCPUs_params", NoStruct),
    ("version", Text("0")),
    ("VGPUs", NoList),
    ("VTPMs", NoList),
    ("VUSBs", NoList),
    ("xenstore_data", NoStruct),
];

const VDI_FIELDS: Fields = &[
    ("allow_caching", Bool(false)),
    ("allowed_operations", NoList),
    ("cbt_enabled", Bool(false)),
    ("crash_dumps", NoList),
    ("current_operations", NoStruct),
    ("is_a_snapshot", Bool(false)),
    ("is_tools_iso", Bool(false)),
    ("location", Text("")),
    ("managed", Bool(true)),
    ("metadata_latest", Bool(false)),
    ("metadata_of_pool", NULL),
    ("metrics", NULL),
    ("missing", Bool(false)),
    ("name_description", Text("")),
    ("on_boot", Text("persist")),
    ("other_config", NoStruct),
    ("parent", NULL),
    ("physical_utilisation", Text("1048576")),
    ("read_only", Bool(false)),
    ("sharable", Bool(false)),
    ("sm_config", NoStruct),
    ("snapshot_of", NULL),
    ("snapshot_time", NoTime),
    ("snapshots", NoList),
    ("storage_lock", Bool(false)),
    ("tags", NoList),
    ("type", Text("user")),
    ("xenstore_data", NoStruct),
];

const VBD_FIELDS: Fields = &[
    ("allowed_operations", NoList),
    ("bootable", Bool(true)),
    ("current_operations", NoStruct),
    ("currently_attached", Bool(false)),
    ("device", Text("xvda")),
    ("empty", Bool(false)),
    ("metrics", NULL),
    ("mode", Text("RW")),
    ("other_config", NoStruct),
    ("qos_algorithm_params", NoStruct),
    ("qos_algorithm_type", Text("")),
    ("qos_supported_algorithms", NoList),
    ("runtime_properties", NoStruct),
    ("status_code", Text("0")),
    ("status_detail", Text("")),
    ("storage_lock", Bool(false)),
    ("type", Text("Disk")),
    ("unpluggable", Bool(false)),
    ("userdevice", Text("0")),
];

const VIF_FIELDS: Fields = &[
    ("allowed_operations", NoList),
    ("current_operations", NoStruct),
    ("currently_attached", Bool(false)),
    ("device", Text("0")),
    ("ipv4_addresses", NoList),
    ("ipv4_allowed", NoList),
    ("ipv4_configuration_mode", Text("None")),
    ("ipv4_gateway", Text("")),
    ("ipv6_addresses", NoList),
    ("ipv6_allowed", NoList),
    ("ipv6_configuration_mode", Text("None")),
    ("ipv6_gateway", Text("")),
    ("locking_mode", Text("network_default")),
    // Empty: the host gives each imported machine an address of its own.
    ("MAC", Text("")),
    ("MAC_autogenerated", Bool(true)),
    ("metrics", NULL),
    ("MTU", Text("1500")),
    ("other_config", NoStruct),
    ("qos_algorithm_params", NoStruct),
    ("qos_algorithm_type", Text("")),
    ("qos_supported_algorithms", NoList),
    ("runtime_properties", NoStruct),
    ("status_code", Text("0")),
    ("status_detail", Text("")),
];

const SR_FIELDS: Fields = &[
    ("allowed_operations", NoList),
    ("content_type", Text("user")),
    ("current_operations", NoStruct),
    ("name_description", Text("")),
    ("name_label", Text("Local storage")),
    ("other_config", NoStruct),
    ("PBDs", NoList),
    ("shared", Bool(false)),
    ("type", Text("ext")),
];

const NETWORK_FIELDS: Fields = &[
    ("allowed_operations", NoList),
    ("blobs", NoStruct),
    ("bridge", Text("xenbr0")),
    ("current_operations", NoStruct),
    ("default_locking_mode", Text("unlocked")),
    ("MTU", Text("1500")),
    ("name_description", Text("")),
    ("name_label", Text("Pool-wide network associated with eth0")),
    ("other_config", NoStruct),
    ("PIFs", NoList),
    ("tags", NoList),
];

/// One object: its class, reference, and fields.
fn object(class: &str, reference: &str, fixed: Fields, own: Vec<(&'static str, Value)>) -> Value {
    let fixed = fixed.iter().map(|(name, value)| (*name, Value::from(*value)));
    Value::Struct(vec![
        ("class", class.into()),
        ("id", reference.into()),
        ("snapshot", Value::Struct(fixed.chain(own).collect())),
    ])
}

fn list(reference: &str) -> Value {
    Value::List(vec![reference.into()])
}

fn vm(machine: &Machine) -> Value {
    let memory = machine.memory_mib << 20;
    let firmware = match machine.firmware {
        Firmware::Bios => "bios",
        Firmware::Uefi => "uefi",
    };
    let text = |pairs: &[(&'static str, &str)]| {
        Value::Struct(pairs.iter().map(|&(name, value)| (name, value.into())).collect())
    };
    let platform = [
        ("acpi", "1"),
        ("apic", "true"),
        ("device-model", "qemu-upstream-compat"),
        ("hpet", "true"),
        ("nx", "true"),
        ("pae", "true"),
        ("secureboot", "false"),
        ("viridian", "false"),
    ];
    let description = machine.description.as_deref().unwrap_or_default();
    object(
        "VM",
        VM,
        VM_FIELDS,
        vec![
            ("HVM_boot_params", text(&[("firmware", firmware), ("order", "cd")])),
            ("memory_dynamic_max", memory.into()),
            ("memory_dynamic_min", memory.into()),
            ("memory_static_max", memory.into()),
            ("memory_static_min", memory.into()),
            ("name_description", description.into()),
            ("name_label", machine.stem.as_str().into()),
            ("other_config", text(&[("base_template_name", "Other install media")])),
            ("platform", text(&platform)),
            ("uuid", machine.derived("xva-vm").to_string().as_str().into()),
            ("VBDs", list(VBD)),
            ("VCPUs_at_startup", u64::from(machine.cpus).into()),
            ("VCPUs_max", u64::from(machine.cpus).into()),
            ("VIFs", list(VIF)),
        ],
    )
}

/// The file `ova.xml` of a machine with a disk of `size` bytes.
pub(super) fn describe(machine: &Machine, size: u64) -> String {
    let id = |purpose: &str| ("uuid", machine.derived(purpose).to_string().as_str().into());
    let objects = vec![
        vm(machine),
        object("SR", SR, SR_FIELDS, vec![id("xva-sr"), ("VDIs", list(VDI))]),
        object(
            "VDI",
            VDI,
            VDI_FIELDS,
            vec![
                ("name_label", machine.stem.as_str().into()),
                ("SR", SR.into()),
                id("xva-vdi"),
                ("VBDs", list(VBD)),
                ("virtual_size", size.into()),
            ],
        ),
        object("VBD", VBD, VBD_FIELDS, vec![id("xva-vbd"), ("VDI", VDI.into()), ("VM", VM.into())]),
        object("network", NETWORK, NETWORK_FIELDS, vec![id("xva-network"), ("VIFs", list(VIF))]),
        object(
            "VIF",
            VIF,
            VIF_FIELDS,
            vec![("network", NETWORK.into()), id("xva-vif"), ("VM", VM.into())],
        ),
    ];
    let version = [
        ("hostname", "localhost"),
        ("date", "1970-01-01"),
        ("product_version", "8.2.0"),
        ("product_brand", "XCP-ng"),
        ("build_number", "0"),
        ("xapi_major", "1"),
        ("xapi_minor", "20"),
        ("export_vsn", "2"),
    ];
    let version = version.map(|(name, value)| (name, value.into())).into();
    let root =
        Value::Struct(vec![("version", Value::Struct(version)), ("objects", Value::List(objects))]);
    let mut xml = Xml::fragment();
    root.write(&mut xml);
    xml.finish()
}
