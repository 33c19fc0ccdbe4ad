//! The archive of an env: everything in one file that only its recipients can open.
//!
//! `DOMAIN.env.STAMP.tar.gz.gpg` holds the env, the paper copy and a medium of each kind. All
//! of it is made in memory: no plaintext lies on a disk at any time.

pub mod openpgp;

use std::io;

use flate2::{Compression, GzBuilder};
use tar::{Builder, EntryType, Header};

use super::Env;
use super::paper::code::TooLarge;
use super::paper::pdf::{self, Sheet};
use crate::create::{CreateError, Seed};
use crate::medium::Kind;
use crate::medium::write::{self, WriteError};

/// Mode of the files in the archive.
const MODE: u32 = 0o600;
/// What is on a medium beside the env.
const KINDS: [(Kind, &str); 2] =
    [(Kind::Cidata, "env-cidata.iso"), (Kind::Config2, "env-config-2.iso")];

/// Why there is no package.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// The env makes no seed.
    #[error(transparent)]
    Create(#[from] CreateError),
    /// A medium cannot be written.
    #[error(transparent)]
    Medium(#[from] WriteError),
    /// It does not fit on paper.
    #[error(transparent)]
    Paper(#[from] TooLarge),
    /// The archive cannot be put together.
    #[error("putting the archive together")]
    Archive(#[from] io::Error),
    /// It cannot be encrypted.
    #[error(transparent)]
    OpenPgp(#[from] openpgp::OpenPgpError),
}

/// What is packaged.
#[derive(Debug)]
pub struct Package<'a> {
    /// The env.
    pub env: &'a Env,
    /// Whose it is: its domain.
    pub name: &'a str,
    /// The env's file name, without folders.
    pub file: &'a str,
    /// When it is made, in seconds since 1970.
    pub time: u64,
}

impl Package<'_> {
    /// The name of the archive. Its time is UTC, so that names sort.
    #[must_use]
    pub fn archive_name(&self) -> String {
        let (date, time) = utc(self.time);
        format!("{}.env.{date}_{}.tar.gz.gpg", self.name, time.replace(':', "."))
    }

    /// The paper copy.
    ///
    /// # Errors
    /// [`TooLarge`].
    pub fn paper(&self) -> Result<Vec<u8>, TooLarge> {
        let (date, time) = utc(self.time);
        let made = format!("{date} {time} UTC");
        let Self { name, file, env, .. } = *self;
        pdf::write(&Sheet { name, file, made: &made, text: &env.text })
    }

    /// The archive, encrypted to `recipients`.
    ///
    /// # Errors
    /// See [`PackageError`].
    pub fn archive(&self, recipients: &[openpgp::Recipient]) -> Result<Vec<u8>, PackageError> {
        let mut files = vec![
            (self.file.to_owned(), self.env.text.clone().into_bytes()),
            (format!("{}.pdf", self.file), self.paper()?),
        ];
        let mut seed = Seed::new(&self.env.file, self.env.text.clone().into_bytes())?;
        // A name that is no host name is left to the env itself.
        if let Ok(named) = seed.clone().with_hostname(self.name) {
            seed = named;
        }
        for (kind, name) in KINDS {
            files.push((name.to_owned(), write::iso(&seed.files(kind), self.time)?));
        }
        let packed = self.pack(&files)?;
        Ok(openpgp::encrypt(packed, recipients)?)
    }

    fn pack(&self, files: &[(String, Vec<u8>)]) -> io::Result<Vec<u8>> {
        let mut archive = Builder::new(GzBuilder::new().write(Vec::new(), Compression::best()));
        for (name, content) in files {
            let mut header = Header::new_ustar();
            header.set_entry_type(EntryType::Regular);
            header.set_mode(MODE);
            header.set_size(content.len() as u64);
            header.set_mtime(self.time);
            archive.append_data(&mut header, name, &content[..])?;
        }
        archive.into_inner()?.finish()
    }
}

/// Date and time of day in UTC: `2026-11-25`, `12:30`. Howard Hinnant's days-to-civil.
fn utc(time: u64) -> (String, String) {
    let days = i64::try_from(time / 86_400).unwrap_or(0) + 719_468;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    let (hour, minute) = (time % 86_400 / 3600, time % 3600 / 60);
    (format!("{year:04}-{month:02}-{day:02}"), format!("{hour:02}:{minute:02}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_carry_domain_and_time() {
        let env = Env::parse("e.yml", b"#cloud-config\na: 1\n").unwrap();
        let name =
            |time| Package { env: &env, name: "site.test", file: "e.yml", time }.archive_name();
        assert_eq!(name(0), "site.test.env.1970-01-01_00.00.tar.gz.gpg");
        assert_eq!(name(951_868_799), "site.test.env.2000-02-29_23.59.tar.gz.gpg");
        assert_eq!(name(1_795_610_000), "site.test.env.2026-11-25_12.33.tar.gz.gpg");
    }

    #[test]
    fn the_paper_copy_is_the_same_every_time() {
        let env = Env::parse("e.yml", b"#cloud-config\na: 1\n").unwrap();
        let package = Package { env: &env, name: "site.test", file: "e.yml", time: 0 };
        assert_eq!(package.paper().unwrap(), package.paper().unwrap());
    }
}
