//! What runs the guest's code: KVM where it has been seen to work, TCG elsewhere.
//!
//! That `/dev/kvm` opens proves nothing. There are hosts where QEMU cannot set up a
//! processor with it, and hosts whose KVM (such as `kvm_pvm`, made for paravirtual kernels
//! inside a virtual machine) emulates an ordinary guest instruction by instruction, a
//! million a second, and gives up at the first floating point one: a stock kernel under it
//! seems to hang. So a tiny guest is run that does what kernels do, within a time limit.

mod probe;
mod sector;

use std::fmt;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use probe::{Verdict, probe};

use crate::Result;
use crate::host::Host;
use crate::request::Arch;

/// How long the probe's guest may take. With a working KVM it takes 0.3 s.
const PROBE_LIMIT: Duration = Duration::from_secs(5);

/// What runs the guest's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accelerator {
    /// The processor itself, through Linux.
    Kvm,
    /// QEMU's translator: works everywhere, ten times slower or worse.
    Tcg,
}

impl Accelerator {
    /// `kvm` or `tcg`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        }
    }

    /// The accelerator of this [`name`](Self::name).
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Kvm, Self::Tcg].into_iter().find(|accelerator| accelerator.name() == name)
    }
}

impl fmt::Display for Accelerator {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

/// An accelerator and why it was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// What runs the guest's code.
    pub accelerator: Accelerator,
    /// Why, for people.
    pub reason: String,
}

/// KVM if a guest runs with it, TCG otherwise.
pub(crate) fn choose(host: &Host, arch: Arch, cancel: &AtomicBool) -> Result<Choice> {
    let tcg = |reason| Ok(Choice { accelerator: Accelerator::Tcg, reason });
    if !arch.is_native() {
        return tcg(format!("KVM does not run {} guests here", arch.name()));
    }
    if !Path::new("/dev/kvm").exists() {
        return tcg("there is no /dev/kvm".into());
    }
    match probe(host, arch, Accelerator::Kvm, PROBE_LIMIT, cancel)? {
        Verdict::Runs => {
            Ok(Choice { accelerator: Accelerator::Kvm, reason: "a tiny guest ran with it".into() })
        }
        Verdict::Fails(why) => tcg(format!("KVM does not work here: {why}")),
    }
}
