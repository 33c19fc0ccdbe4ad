//! Writes a seed medium as an ISO 9660 image with Rock Ridge and Joliet.
//!
//! Reproducible: the bytes depend on the files, the kind and the given time, on nothing else.
//! A reader that knows neither extension sees level 2 names (`USER_DATA.;1`), which
//! [`super::read`] recognises.

use hadris_fs::{Content, DateTime, Node, Owner, PathError, Permissions, SetAttr, Tree};
use hadris_iso::{IsoId, IsoLevel, IsoOptions};

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
    /// The files cannot be laid out as they are.
    #[error("the seed's files cannot be laid out as an ISO 9660 image; please report this")]
    Layout(#[from] PathError),
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
    let mut image = Vec::new();
    hadris_iso::sync::write(&mut image, &tree, &options)?;
    Ok(image)
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
    fn reproducible_and_dated() {
        let image = |time| iso(&files(Kind::Cidata), time).unwrap();
        assert_eq!(image(1_700_000_000), image(1_700_000_000));
        assert_ne!(image(0), image(1_700_000_000));
        assert_eq!(image(LATEST).len() % 2048, 0);
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
