//! The kinds of tasks, and how the agent's configuration names them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::machine::{Machine, TaskError};
use super::plan::Plan;

mod certificate;
mod cron;
mod files;
mod grow_root;
mod hooks;
mod hostname;
mod kernel_cmdline;
mod locale;
mod network;
mod openpgp;
mod packages;
mod proxy;
mod ssh_keys;
mod sshd;
mod sysctl;
mod templates;
mod timer;
mod timezone;
mod units;
mod users;

use crate::storage::{self, directories, disks, filesystems, lvm, relocations, volumes};

/// When a task is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// As soon as the env is active, before the network.
    Early,
    /// When the network is up and services run.
    Late,
}

/// Declares the kinds: name in the configuration, module, stage.
macro_rules! kinds {
    ($($name:literal $variant:ident $module:ident $stage:ident $options:ty,)*) => {
        /// Names of all kinds.
        const NAMES: &[&str] = &[$($name),*];

        /// A task of the configuration: its kind with its options.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Entry {
            $(#[doc = concat!("`", $name, "`")] $variant($options),)*
        }

        impl Entry {
            /// The name of its kind.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $name,)*
                }
            }

            /// When it is done.
            pub fn stage(&self) -> Stage {
                match self {
                    $(Self::$variant(_) => Stage::$stage,)*
                }
            }

            /// What it wants changed.
            ///
            /// # Errors
            /// The env or the machine does not allow it.
            pub fn plan(&self, machine: &Machine<'_>) -> Result<Plan, TaskError> {
                match self {
                    $(Self::$variant(options) => $module::plan(options, machine),)*
                }
            }

            /// A task of this kind as it is without options.
            fn plain<E: serde::de::Error>(name: &str) -> Result<Self, E> {
                match name {
                    $($name => Ok(Self::$variant(Default::default())),)*
                    _ => Err(E::unknown_variant(name, NAMES)),
                }
            }

            fn with<'de, A: MapAccess<'de>>(name: &str, map: &mut A) -> Result<Self, A::Error> {
                match name {
                    $($name => Ok(Self::$variant(map.next_value()?)),)*
                    _ => Err(A::Error::unknown_variant(name, NAMES)),
                }
            }
        }
    };
}

kinds! {
    "hostname" Hostname hostname Early hostname::Options,
    "users" Users users Early users::Options,
    "ssh_keys" SshKeys ssh_keys Early ssh_keys::Options,
    "sshd" Sshd sshd Early sshd::Options,
    "files" Files files Early files::Options,
    "packages" Packages packages Late packages::Options,
    "units" Units units Late units::Options,
    "timer" Timer timer Early timer::Options,
    "timezone" Timezone timezone Early timezone::Options,
    "locale" Locale locale Early locale::Options,
    "proxy" Proxy proxy Early proxy::Options,
    "sysctl" Sysctl sysctl Early sysctl::Options,
    "kernel_cmdline" KernelCmdline kernel_cmdline Early kernel_cmdline::Options,
    "grow_root" GrowRoot grow_root Early grow_root::Options,
    "openpgp" OpenPgp openpgp Early openpgp::Options,
    "certificate" Certificate certificate Early certificate::Options,
    "templates" Templates templates Early templates::Options,
    "network" Network network Early network::Options,
    "cron" Cron cron Early cron::Options,
    "hooks" Hooks hooks Late hooks::Options,
    "storage" Storage storage Early storage::Options,
    "storage_disks" StorageDisks disks Early storage::Options,
    "storage_lvm" StorageLvm lvm Early storage::Options,
    "storage_filesystems" StorageFilesystems filesystems Early storage::Options,
    "volumes" Volumes volumes Early storage::Options,
    "directories" Directories directories Early storage::Options,
    "relocations" Relocations relocations Early storage::Options,
}

impl Entry {
    /// The tasks it consists of, each of which is to see what the one before it made.
    pub fn parts(&self) -> Vec<Self> {
        match self {
            Self::Storage(options) => vec![
                Self::StorageDisks(options.clone()),
                Self::StorageLvm(options.clone()),
                Self::StorageFilesystems(options.clone()),
                Self::Volumes(options.clone()),
                Self::Directories(options.clone()),
                Self::Relocations(options.clone()),
            ],
            other => vec![other.clone()],
        }
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EntryVisitor)
    }
}

struct EntryVisitor;

impl<'de> Visitor<'de> for EntryVisitor {
    type Value = Entry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a task, or a mapping from that name to options")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Entry, E> {
        Entry::plain(name)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entry, A::Error> {
        let name: Option<String> = map.next_key()?;
        let name = name.ok_or_else(|| A::Error::custom("a task without a name"))?;
        let entry = Entry::with(&name, &mut map)?;
        match map.next_key::<String>()? {
            None => Ok(entry),
            Some(_) => Err(A::Error::custom(
                "two tasks in one item of the list; start the second with a dash of its own",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use bootwright_seed::yaml::tree::Node;

    use super::*;

    fn parse(text: &str) -> Result<Vec<Entry>, String> {
        Node::parse("t.yml", text).unwrap().decode().map_err(|error| error.to_string())
    }

    #[test]
    fn names_with_and_without_options() {
        let tasks = parse("- hostname\n- ssh_keys: {users: [app]}\n- units:\n").unwrap();
        let names: Vec<&str> = tasks.iter().map(Entry::name).collect();
        assert_eq!(names, ["hostname", "ssh_keys", "units"]);
        for name in NAMES {
            assert_eq!(parse(&format!("- {name}\n")).unwrap()[0].name(), *name);
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, expected) in [
            ("- hostnam\n", "t.yml:1:3: unknown value `hostnam`; did you mean `hostname`?"),
            ("- hostname: {keys: x}\n", "t.yml:1:14: unknown key `keys`"),
            ("- hostname:\n  users:\n", "two tasks in one item"),
            ("- [a]\n", "expected the name of a task"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }
}
