//! Writes a seed medium: an ISO 9660 image with Rock Ridge and Joliet, or a FAT volume.
//!
//! Reproducible: the bytes depend on the files, the kind and the given time, on nothing else.
//! A reader that knows neither extension sees level 2 names (`USER_DATA.;1`), which
//! [`super::read`] recognises.

use hadris_fat::{FatOptions, VolumeLabel};
use hadris_fs::{Content, DateTime, Node, Owner, PathError, Permissions, SetAttr, Tree};
use hadris_iso::{IsoId, IsoLevel, IsoOptions};
use hadris_storage::{BlockSize, MemDevice};

use super::Filesystem;
use crate::create::SeedFiles;

/// Mode of every file on the medium, owned by root: user-data holds secrets.
const MODE: u32 = 0o400;

/// Latest time that ISO 9660's directory records can hold, in seconds since 1970 (the end of
/// 2155, ECMA-119 9.1.5: one byte of years since 1900).
const LATEST: u64 = 5_869_583_999;

/// Why a medium cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A time that ISO 9660 cannot hold.
    #[error(
        "{0} seconds since 1970 is past the year 2155, the last that ISO 9660 can hold; check SOURCE_DATE_EPOCH"
    )]
    Time(u64),
    /// A time before the first that FAT can hold, or after the last.
    #[error(
        "{0} seconds since 1970 is not between the years 1980 and 2107, which FAT can hold; check SOURCE_DATE_EPOCH"
    )]
    FatTime(u64),
    /// The files cannot be laid out as they are.
    #[error("the seed's files cannot be laid out as an ISO 9660 image; please report this")]
    Layout(#[from] PathError),
    /// The FAT volume cannot be made.
    #[error("the seed's files cannot be laid out as a FAT volume ({0}); please report this")]
    Fat(String),
}

/// The image of a medium with these files on this file system; see [`iso`] and [`vfat`].
///
/// # Errors
///
/// As those two.
pub fn medium(seed: &SeedFiles, on: Filesystem, time: u64) -> Result<Vec<u8>, WriteError> {
    match on {
        Filesystem::Iso9660 => iso(seed, time),
        Filesystem::Vfat => vfat(seed, time),
    }
}

/// First and last second that FAT's directory entries can hold (1980 to 2107).
const FAT_TIMES: std::ops::RangeInclusive<u64> = 315_532_800..=4_354_819_199;
/// Smallest volume, in bytes.
const FAT_LEAST: u64 = 512 << 10;
/// The volume's size is a multiple of this, in bytes.
const FAT_STEP: u64 = 64 << 10;
/// Bytes of the largest cluster that volumes of such sizes have.
const FAT_CLUSTER: u64 = 8192;

/// The image of a FAT volume with these files, sized to fit. FAT knows no owners and no modes,
/// and labels in upper case only. A `time` of 0 stands for FAT's first, in 1980.
///
/// # Errors
///
/// [`WriteError::FatTime`] if FAT cannot hold `time`.
pub fn vfat(seed: &SeedFiles, time: u64) -> Result<Vec<u8>, WriteError> {
    let time = if time == 0 { *FAT_TIMES.start() } else { time };
    let date = i64::try_from(time)
        .ok()
        .filter(|_| FAT_TIMES.contains(&time))
        .and_then(|seconds| DateTime::from_unix_seconds(seconds).ok())
        .ok_or(WriteError::FatTime(time))?;
    let mut tree = Tree::new();
    let mut size = 0;
    for file in &seed.files {
        size += (file.content.len() as u64).next_multiple_of(FAT_CLUSTER);
        let content = Content::bytes(file.content.clone());
        let attributes = SetAttr::new().with_modified(date);
        tree.insert(&*file.path, Node::file(content).with_attrs(attributes))?;
    }
    // Two FATs of at most 4 bytes a cluster, the root directory and the folders.
    let size = size + size / 256 + (96 << 10);
    let size = size.next_multiple_of(FAT_STEP).max(FAT_LEAST);
    let fail = |what: &dyn std::fmt::Debug| WriteError::Fat(format!("{what:?}"));
    let label = VolumeLabel::new(seed.kind.name()).map_err(|error| fail(&error))?;
    let options = FatOptions::new().with_label(label).with_time(date).with_oem_name(*b"BOOTWRT ");
    let block = BlockSize::new(512).ok_or_else(|| fail(&"block size"))?;
    let image = vec![0; usize::try_from(size).map_err(|error| fail(&error))?];
    let mut device = MemDevice::new(image, block);
    hadris_fat::sync::write(&mut device, &tree, &options).map_err(|error| fail(&error))?;
    Ok(device.into_inner())
}

/// The image of a medium with these files, every time on it set to `time`, in seconds since
/// 1970. Its label is the kind's name.
///
/// # Errors
///
/// [`WriteError::Time`] if `time` is past the year 2155.
pub fn iso(seed: &SeedFiles, time: u64) -> Result<Vec<u8>, WriteError> {
    let date = i64::try_from(time)
        .ok()
        .filter(|_| time <= LATEST)
        .and_then(|seconds| DateTime::from_unix_seconds(seconds).ok())
        .ok_or(WriteError::Time(time))?;
    let attributes = SetAttr::new()
        .with_permissions(Permissions::new(MODE))
        .with_owner(Owner::new(0, 0))
        .with_modified(date);
    let mut tree = Tree::new();
    for file in &seed.files {
        let content = Content::bytes(file.content.clone());
        tree.insert(&*file.path, Node::file(content).with_attrs(attributes))?;
    }
    let options = IsoOptions::new()
        .with_id(IsoId::Volume, seed.kind.name())
        .with_id(IsoId::System, "LINUX")
        .with_id(IsoId::Application, "BOOTWRIGHT SEED")
        .with_level(IsoLevel::L2)
        .with_joliet()
        .with_rock_ridge()
        .with_time(date);
    let mut image = Vec::with_capacity(512 << 10);
    hadris_iso::sync::write(&mut image, &tree, &options)?;
    cut_padding(&mut image);
    Ok(image)
}

/// Bytes of a sector of ISO 9660.
const SECTOR: usize = 2048;
/// Sectors of zeros that the library, like mkisofs, puts behind the data. They are there for
/// drives that read ahead of a disc burnt in one piece; a seed is five times larger with them.
const PADDING: usize = 150;

/// Cuts the padding off and corrects the size that the volume descriptors state (ECMA-119
/// 8.4.8: in both byte orders).
fn cut_padding(image: &mut Vec<u8>) {
    const FIRST: usize = 16;
    const SPACE: std::ops::Range<usize> = 80..88;
    let Some(end) = image.len().checked_sub(PADDING * SECTOR) else {
        return;
    };
    let sectors = u32::try_from(end / SECTOR);
    let is_zero = |sector: &[u8]| sector == [0; SECTOR];
    let (Ok(sectors), true) = (sectors, image[end..].chunks_exact(SECTOR).all(is_zero)) else {
        return;
    };
    image.truncate(end);
    for descriptor in image.chunks_exact_mut(SECTOR).skip(FIRST) {
        if &descriptor[1..6] != b"CD001" || descriptor[0] == 255 {
            break;
        }
        let (little, big) = descriptor[SPACE].split_at_mut(4);
        little.copy_from_slice(&sectors.to_le_bytes());
        big.copy_from_slice(&sectors.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::create::Seed;
    use crate::medium::read::{identify, read};
    use crate::medium::{Filesystem, Kind};

    const ENV: &[u8] = b"#cloud-config\na: 1\n";

    fn files(kind: Kind) -> SeedFiles {
        Seed::new("env.yml", ENV.to_vec()).unwrap().files(kind)
    }

    #[test]
    fn both_kinds_read_back() {
        for kind in Kind::ALL {
            let image = iso(&files(kind), 0).unwrap();
            let identity = identify(Cursor::new(&image)).unwrap().unwrap();
            assert_eq!((identity.kind, identity.filesystem), (Some(kind), Filesystem::Iso9660));
            assert_eq!(identity.labels, [kind.name()]);
            let contents = read(Cursor::new(&image), kind).unwrap();
            assert_eq!(contents.user_data, ENV);
            assert_eq!(contents.files, [kind.user_data(), kind.meta_data()]);
            let seed = Seed::new("env.yml", ENV.to_vec()).unwrap();
            assert_eq!(contents.instance_id, Some(seed.instance_id()));
        }
    }

    #[test]
    fn fat_volumes_grow_with_their_files() {
        for kind in Kind::ALL {
            for size in [0_usize, 100 << 10, 5 << 20, 12 << 20] {
                let mut env = ENV.to_vec();
                env.extend(std::iter::repeat_n(b'#', size));
                let seed = Seed::new("env.yml", env.clone()).unwrap();
                let image = vfat(&seed.files(kind), 0).unwrap();
                assert_eq!(image, vfat(&seed.files(kind), 0).unwrap());
                let identity = identify(Cursor::new(&image)).unwrap().unwrap();
                assert_eq!((identity.kind, identity.filesystem), (Some(kind), Filesystem::Vfat));
                assert_eq!(read(Cursor::new(&image), kind).unwrap().user_data, env);
            }
        }
        for time in [1, FAT_TIMES.end() + 1, u64::MAX] {
            let image = vfat(&files(Kind::Cidata), time);
            assert!(matches!(image, Err(WriteError::FatTime(t)) if t == time));
        }
    }

    #[test]
    fn reproducible_and_dated() {
        let image = |time| iso(&files(Kind::Cidata), time).unwrap();
        assert_eq!(image(1_700_000_000), image(1_700_000_000));
        assert_ne!(image(0), image(1_700_000_000));
        assert_eq!(image(LATEST).len() % SECTOR, 0);
        // The descriptors tell the size that the image has.
        let stated = u32::from_le_bytes(*image(0)[16 * SECTOR + 80..].first_chunk().unwrap());
        assert_eq!(stated as usize * SECTOR, image(0).len());
        assert!(image(0).len() < 80 << 10, "{}", image(0).len());
    }

    #[test]
    fn times_past_the_format_are_refused() {
        for time in [LATEST + 1, u64::MAX] {
            assert!(
                matches!(iso(&files(Kind::Cidata), time), Err(WriteError::Time(t)) if t == time)
            );
        }
    }
}
