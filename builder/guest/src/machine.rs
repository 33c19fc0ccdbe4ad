//! The machine as QEMU arguments: a pure function of the request and what was found.
//!
//! `-nodefaults -no-user-config` leave nothing to QEMU's or the host's taste. Every value
//! that may hold a path is escaped (a comma is doubled), and files are named by driver and
//! file name, so that no path is taken for a protocol and no content is probed.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use bootwright_seed::report::VIRTIO_PORT;

use crate::accel::Accelerator;
use crate::firmware::Flash;
use crate::hardware::Hypervisor;
use crate::request::{Arch, BootRequest};

/// Everything the argument list depends on. Paths are absolute.
pub(crate) struct Machine<'a> {
    pub request: &'a BootRequest,
    pub accelerator: Accelerator,
    /// UEFI code and the guest's own copy of the variables; BIOS if there is none.
    pub flash: Option<&'a Flash>,
    /// Listening socket for QEMU's control connection.
    pub control: PathBuf,
    /// Listening socket for the agent's report.
    pub report: PathBuf,
}

impl Machine<'_> {
    /// The arguments, the program's name not among them.
    pub fn arguments(&self) -> Vec<OsString> {
        let hypervisor = self.request.hypervisor;
        let mut list = processor(self.request.arch, hypervisor, self.accelerator);
        list.option("-smp", self.request.cpus.to_string());
        list.option("-m", self.request.memory_mib.to_string());
        list.option("-rtc", "base=utc");
        list.option("-boot", "strict=on");
        self.firmware(&mut list);
        self.disks(&mut list);
        network(&mut list, hypervisor);
        if hypervisor.has_virtio() {
            list.option("-object", "rng-builtin,id=rng");
            list.option("-device", "virtio-rng-pci,rng=rng");
        }
        self.channels(&mut list);
        list.0
    }

    fn firmware(&self, list: &mut Arguments) {
        let Some(flash) = self.flash else { return };
        let code = Value::new("node-name=flash-code,read-only=on,driver=")
            .text(&flash.code_format)
            .file(&flash.code);
        let variables = Value::new("node-name=flash-variables,driver=")
            .text(&flash.variables_format)
            .file(&flash.variables);
        list.option("-blockdev", code);
        list.option("-blockdev", variables);
        list.option("-machine", "pflash0=flash-code,pflash1=flash-variables");
    }

    /// The image behind a throw-away layer, and the seed in a CD-ROM drive on the controller
    /// that the machine type has, as real hypervisors show it.
    fn disks(&self, list: &mut Arguments) {
        // -drive and not -blockdev: only the former makes the layer (snapshot=on) by itself.
        let disk = Value::new("if=none,id=disk,snapshot=on,format=")
            .text(self.request.format.driver())
            .file(&self.request.image);
        list.option("-drive", disk);
        for device in self.request.hypervisor.disk_devices(self.request.firmware) {
            list.option("-device", *device);
        }
        if let Some(seed) = &self.request.seed {
            let medium = Value::new("node-name=seed,driver=raw,read-only=on").file(seed);
            list.option("-blockdev", medium);
            let place = self.request.hypervisor.cd_place(self.request.firmware);
            list.option("-device", format!("ide-cd,drive=seed,{place}"));
        }
    }

    /// The serial console on standard output, the report's port and the control connection.
    fn channels(&self, list: &mut Arguments) {
        list.option("-chardev", "stdio,id=console,signal=off");
        list.option("-serial", "chardev:console");
        list.option("-chardev", Value::new("socket,id=report").path("path", &self.report));
        if self.request.hypervisor.has_virtio() {
            list.option("-device", "virtio-serial-pci");
            list.option("-device", format!("virtserialport,chardev=report,name={VIRTIO_PORT}"));
        }
        list.option("-chardev", Value::new("socket,id=control").path("path", &self.control));
        list.option("-mon", "chardev=control,mode=control");
    }
}

/// The part of the machine that decides whether an accelerator works with it: the probe
/// starts its guest with just these.
pub(crate) fn processor(arch: Arch, hypervisor: Hypervisor, accelerator: Accelerator) -> Arguments {
    let mut list = Arguments::default();
    list.flag("-nodefaults");
    list.flag("-no-user-config");
    list.option("-display", "none");
    // graphics=off sends the BIOS's screen to the serial port, GRUB's too; vmport is a
    // VMware interface that an ordinary QEMU guest does not see.
    let kind = hypervisor.machine_type(arch);
    list.option("-machine", format!("{kind},graphics=off,vmport=off"));
    let (accel, cpu) = match accelerator {
        Accelerator::Kvm => ("kvm", format!("host{}", hypervisor.enlightenments())),
        // One thread per processor is the default wherever it is safe. Page tables of five
        // levels (la57) cost a tenth of the speed and buy nothing.
        Accelerator::Tcg => ("tcg", "max,la57=off".to_owned()),
    };
    list.option("-accel", accel);
    list.option("-cpu", cpu);
    list
}

/// A network that leads nowhere: DHCP answers at once, so no service waits for it, and
/// nothing in the guest reaches the host or the world. No PXE ROM.
fn network(list: &mut Arguments, hypervisor: Hypervisor) {
    list.option("-netdev", "user,id=net,restrict=on");
    let card = hypervisor.network_card();
    list.option("-device", format!("{card},netdev=net,romfile="));
}

/// An argument list being written.
#[derive(Default)]
pub(crate) struct Arguments(pub Vec<OsString>);

impl Arguments {
    pub fn flag(&mut self, name: &str) {
        self.0.push(name.into());
    }

    pub fn option(&mut self, name: &str, value: impl Into<OsString>) {
        self.flag(name);
        self.0.push(value.into());
    }
}

/// The value of an option: `key=value` pairs with commas between them.
pub(crate) struct Value(OsString);

impl Value {
    /// A value that starts with this text, which needs no escaping.
    pub fn new(start: &str) -> Self {
        Self(start.into())
    }

    /// Adds text, escaped.
    fn text(mut self, text: impl AsRef<OsStr>) -> Self {
        let mut bytes = Vec::new();
        for &byte in text.as_ref().as_bytes() {
            bytes.push(byte);
            if byte == b',' {
                bytes.push(byte);
            }
        }
        self.0.push(OsString::from_vec(bytes));
        self
    }

    /// Adds `,key=path`.
    fn path(mut self, key: &str, path: &Path) -> Self {
        self.0.push(format!(",{key}="));
        self.text(path)
    }

    /// Adds a regular file of the host as what the value is about.
    pub fn file(mut self, path: &Path) -> Self {
        self.0.push(",file.driver=file");
        self.path("file.filename", path)
    }
}

impl From<Value> for OsString {
    fn from(value: Value) -> Self {
        value.0
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{Machine, Value};
    use crate::accel::Accelerator;
    use crate::firmware::Flash;
    use crate::hardware::{Controller, Hypervisor};
    use crate::request::{BootRequest, DiskFormat};

    /// The argument list as text, an option and its value on a line.
    fn listed(machine: &Machine<'_>) -> String {
        let mut text = String::new();
        for argument in machine.arguments() {
            let argument = argument.into_string().unwrap();
            let separator = if argument.starts_with('-') { '\n' } else { ' ' };
            text.push(separator);
            text.push_str(&argument);
        }
        text.trim().to_owned()
    }

    fn flash() -> Flash {
        Flash {
            code: "/fw/code.fd".into(),
            code_format: "raw".into(),
            variables: "/run/g/variables".into(),
            variables_format: "raw".into(),
        }
    }

    #[test]
    fn bios_and_tcg_without_a_seed() {
        let request = BootRequest::new("/images/a.raw", DiskFormat::Raw);
        let machine = Machine {
            request: &request,
            accelerator: Accelerator::Tcg,
            flash: None,
            control: PathBuf::from("/run/g/control"),
            report: PathBuf::from("/run/g/report"),
        };
        assert_eq!(listed(&machine), include_str!("../tests/guest/golden/bios-tcg.txt").trim());
    }

    #[test]
    fn uefi_and_kvm_with_a_seed_and_commas() {
        let mut request = BootRequest::new("/images/a,b.qcow2", DiskFormat::Qcow2);
        request.seed = Some("/seeds/x,y.iso".into());
        let flash = flash();
        let machine = Machine {
            request: &request,
            accelerator: Accelerator::Kvm,
            flash: Some(&flash),
            control: PathBuf::from("/run/g,1/control"),
            report: PathBuf::from("/run/g,1/report"),
        };
        assert_eq!(listed(&machine), include_str!("../tests/guest/golden/uefi-kvm.txt").trim());
    }

    #[test]
    fn other_hypervisors_have_no_virtio() {
        for (hypervisor, name) in [
            (Hypervisor::Vmware(Controller::PvScsi), "vmware"),
            (Hypervisor::Vmware(Controller::LsiLogic), "vmware-lsi"),
            (Hypervisor::HyperV, "hyper-v"),
            (Hypervisor::Xen, "xen"),
        ] {
            let mut request = BootRequest::new("/images/a.vmdk", DiskFormat::Vmdk);
            request.seed = Some("/seeds/x.iso".into());
            request.hypervisor = hypervisor;
            let machine = Machine {
                request: &request,
                accelerator: Accelerator::Kvm,
                flash: None,
                control: PathBuf::from("/run/g/control"),
                report: PathBuf::from("/run/g/report"),
            };
            let listed = listed(&machine);
            assert!(!listed.contains("virt"), "{listed}");
            let golden = format!("{}/tests/guest/golden/{name}.txt", env!("CARGO_MANIFEST_DIR"));
            assert_eq!(listed, std::fs::read_to_string(golden).unwrap().trim(), "{name}");
        }
    }

    #[test]
    fn a_path_with_a_colon_is_a_file_all_the_same() {
        let value = Value::new("driver=raw").file(Path::new("nbd:host:1"));
        assert_eq!(value.0, "driver=raw,file.driver=file,file.filename=nbd:host:1");
    }
}
