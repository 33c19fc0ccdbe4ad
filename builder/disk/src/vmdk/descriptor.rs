//! The descriptor: what a VMDK says about itself, as lines of text.

use uuid::Uuid;

use super::layout::{bad, unsupported};
use crate::Result;

/// First bytes of a descriptor that is a file of its own.
pub(crate) const MAGIC: &[u8] = b"# Disk DescriptorFile";

/// Kinds of disk that fit into one sparse file.
const ONE_FILE: [&str; 2] = ["monolithicSparse", "streamOptimized"];

/// What a reader has to know of a descriptor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Descriptor {
    /// Size of the disk in sectors.
    pub(super) sectors: u64,
}

impl Descriptor {
    /// Parses the text at byte `at` of the file, up to its first zero byte.
    pub(super) fn parse(bytes: &[u8], at: u64) -> Result<Self> {
        let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
        if end == 0 {
            let feature = "an extent without descriptor (part of a disk of several files)";
            return Err(unsupported(feature.into()));
        }
        let text = String::from_utf8_lossy(&bytes[..end]);
        let lines = || text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
        let create_type = value(lines(), "createType")
            .ok_or_else(|| bad("createType", at, "the descriptor has none".into()))?;
        if !ONE_FILE.contains(&create_type) {
            return Err(unsupported(format!("a disk of the kind {create_type:?}")));
        }
        if let Some(parent) = value(lines(), "parentCID").filter(|&cid| !is_no_parent(cid)) {
            return Err(unsupported(format!("a delta disk (its parent has the CID {parent:?})")));
        }
        if lines().any(|line| line.to_ascii_lowercase().starts_with("encryption")) {
            return Err(unsupported("encryption".into()));
        }
        let mut extents = lines().filter_map(extent);
        match (extents.next(), extents.next()) {
            (Some((sectors, "SPARSE")), None) => Ok(Self { sectors }),
            (Some((_, kind)), None) => Err(unsupported(format!("an extent of the kind {kind:?}"))),
            (Some(_), Some(_)) => Err(unsupported("a disk of several extents".into())),
            (None, _) => Err(bad("extent description", at, "the descriptor has none".into())),
        }
    }
}

/// The value of `key`, without its quotes.
fn value<'a>(mut lines: impl Iterator<Item = &'a str>, key: &str) -> Option<&'a str> {
    lines.find_map(|line| {
        let (name, value) = line.split_once('=')?;
        name.trim().eq_ignore_ascii_case(key).then(|| value.trim().trim_matches('"'))
    })
}

fn is_no_parent(cid: &str) -> bool {
    u32::from_str_radix(cid, 16) == Ok(u32::MAX)
}

/// Sectors and kind of the extent that a line describes: `RW 2048 SPARSE "disk.vmdk"`.
fn extent(line: &str) -> Option<(u64, &str)> {
    let mut words = line.split_ascii_whitespace();
    let access = words.next()?;
    if !["RW", "RDONLY", "NOACCESS"].contains(&access) {
        return None;
    }
    Some((words.next()?.parse().ok()?, words.next()?))
}

/// The controller that the disk says it is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Adapter {
    /// SCSI, whichever controller the machine has (pvscsi too): `lsilogic`.
    #[default]
    LsiLogic,
    /// IDE: `ide`. VMware refuses to attach such a disk to a SCSI controller.
    Ide,
}

/// What a writer puts into a descriptor.
#[derive(Debug, Clone)]
pub(super) struct Description<'a> {
    pub(super) create_type: &'static str,
    pub(super) name: &'a str,
    pub(super) id: Uuid,
    pub(super) adapter: Adapter,
    pub(super) hw_version: u32,
    pub(super) sectors: u64,
}

impl Description<'_> {
    /// The content id. All ones and the number before it mean "no parent" and "not yet
    /// written" to some software, so they are avoided.
    fn cid(&self) -> u32 {
        match self.id.as_u128() as u32 {
            u32::MAX => 0x7fff_ffff,
            0xffff_fffe => 0x7fff_fffe,
            cid => cid,
        }
    }

    /// The text, as VMware and open-vmdk write it. The last eight digits of the long content
    /// id are the content id.
    pub(super) fn encode(&self) -> String {
        let (adapter, heads) = match self.adapter {
            Adapter::LsiLogic => ("lsilogic", 255),
            Adapter::Ide => ("ide", 16),
        };
        let cylinders = self.sectors.div_ceil(heads * 63).min(65535);
        let Self { create_type, name, hw_version, sectors, .. } = self;
        let (cid, long_id) = (self.cid(), self.id.as_u128() >> 32);
        format!(
            "# Disk DescriptorFile\n\
             version=1\n\
             encoding=\"UTF-8\"\n\
             CID={cid:08x}\n\
             parentCID=ffffffff\n\
             createType=\"{create_type}\"\n\
             \n\
             # Extent description\n\
             RW {sectors} SPARSE \"{name}\"\n\
             \n\
             # The Disk Data Base\n\
             #DDB\n\
             \n\
             ddb.adapterType = \"{adapter}\"\n\
             ddb.geometry.cylinders = \"{cylinders}\"\n\
             ddb.geometry.heads = \"{heads}\"\n\
             ddb.geometry.sectors = \"63\"\n\
             ddb.longContentID = \"{long_id:024x}{cid:08x}\"\n\
             ddb.toolsInstallType = \"4\"\n\
             ddb.toolsVersion = \"2147483647\"\n\
             ddb.virtualHWVersion = \"{hw_version}\"\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn description() -> Description<'static> {
        Description {
            create_type: "streamOptimized",
            name: "disk.vmdk",
            id: Uuid::from_u128(0x0011_2233_4455_5677_8899_aabb_ccdd_eeff),
            adapter: Adapter::LsiLogic,
            hw_version: 4,
            sectors: 2048,
        }
    }

    fn refusal(from: &str, to: &str) -> String {
        let text = description().encode();
        assert!(text.contains(from));
        Descriptor::parse(text.replace(from, to).as_bytes(), 512).unwrap_err().to_string()
    }

    #[test]
    fn parses_what_it_writes() {
        let text = description().encode();
        assert_eq!(Descriptor::parse(text.as_bytes(), 0).unwrap().sectors, 2048);
        let padded = [text.as_bytes(), b"\0RW 1 FLAT"].concat();
        assert_eq!(Descriptor::parse(&padded, 0).unwrap().sectors, 2048);
        assert!(text.contains("CID=ccddeeff\n"));
        assert!(text.contains("longContentID = \"00112233445556778899aabbccddeeff\""));
        assert!(text.contains("cylinders = \"1\""));
        let ide = Description { adapter: Adapter::Ide, sectors: 1 << 40, ..description() }.encode();
        assert!(ide.contains("adapterType = \"ide\"") && ide.contains("heads = \"16\""));
        assert!(ide.contains("cylinders = \"65535\""), "{ide}");
    }

    #[test]
    fn avoids_the_content_ids_that_mean_something_else() {
        for id in [u128::MAX, u128::MAX - 1] {
            let text = Description { id: Uuid::from_u128(id), ..description() }.encode();
            assert!(text.contains("CID=7fffff"), "{text}");
        }
    }

    #[test]
    fn refuses_by_name() {
        for kind in ["twoGbMaxExtentSparse", "monolithicFlat", "vmfs", "custom"] {
            let error = refusal("streamOptimized", kind);
            assert!(error.contains(&format!("a disk of the kind {kind:?} is not")), "{error}");
        }
        let delta = refusal("parentCID=ffffffff", "parentCID=0badcafe");
        assert!(delta.contains("a delta disk (its parent has the CID \"0badcafe\")"), "{delta}");
        assert!(refusal("#DDB", "encryptionKeys=\"x\"").contains("encryption is not supported"));
        assert!(refusal("SPARSE", "FLAT").contains("an extent of the kind \"FLAT\""));
        let two = "RW 1 SPARSE \"a\"\nRW 1 SPARSE \"b\"";
        assert!(refusal("RW 2048 SPARSE \"disk.vmdk\"", two).contains("several extents"));
        assert!(refusal("RW 2048", "RW many").contains("extent description at offset 0x200"));
        assert!(refusal("createType", "kind").contains("createType"));
        assert!(Descriptor::parse(&[0xff; 100], 0).is_err());
        let empty = Descriptor::parse(&[0; 100], 0).unwrap_err().to_string();
        assert!(empty.contains("an extent without descriptor"), "{empty}");
    }
}
