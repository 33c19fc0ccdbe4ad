//! The images that distributions publish, found by name and proven by what is published
//! beside them.

mod alpine;
mod debian;
mod streams;
mod sums;
mod ubuntu;

use std::fmt;
use std::time::SystemTime;

use crate::config::{Catalog, Config};
use crate::http::{Client, Failure};
use crate::lock::Entry;
use crate::openpgp::Trust;
use crate::{Digest, Error, Result, Watch};

/// Ubuntu's "UEC Image Automatic Signing Key".
const UBUNTU_KEY: &str = "D2EB44626FDDC30B513D5BB71A5D6C4C7DB87C81";
/// Where Debian's and Ubuntu's packages put that key.
pub const UBUNTU_KEYRING: &str = "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg";

/// Who publishes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distribution {
    /// Ubuntu, signed.
    Ubuntu,
    /// Debian, not signed.
    Debian,
    /// Alpine, not signed.
    Alpine,
}

impl Distribution {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ubuntu, Self::Debian, Self::Alpine];

    /// Its name in profiles.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Ubuntu => "ubuntu",
            Self::Debian => "debian",
            Self::Alpine => "alpine",
        }
    }
}

/// An image of a catalog, as a profile asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Who publishes it.
    pub distribution: Distribution,
    /// The release, such as `noble`.
    pub release: String,
    /// The build; the newest if there is none.
    pub serial: Option<String>,
    /// The architecture as Debian names it: `amd64` or `arm64`.
    pub arch: String,
    /// The variant; each distribution has a usual one.
    pub variant: String,
}

impl Wanted {
    /// Parses `ubuntu:noble`, `debian:trixie/SERIAL` and the like.
    ///
    /// # Errors
    /// [`Error::Location`] for what is no such name.
    pub fn parse(text: &str, arch: Option<&str>, variant: Option<&str>) -> Result<Self> {
        let refuse = |expected: &str| {
            Err(Error::Location { text: text.to_owned(), expected: expected.to_owned() })
        };
        let named = text.split_once(':').and_then(|(name, rest)| {
            let found = Distribution::ALL.into_iter().find(|known| known.name() == name)?;
            Some((found, rest))
        });
        let Some((distribution, rest)) = named else {
            return refuse(
                "give file:PATH, an https address, or RELEASE of a catalog as ubuntu:RELEASE, \
                 debian:RELEASE or alpine:VERSION",
            );
        };
        let (release, serial) = match rest.split_once('/') {
            None => (rest, None),
            Some((release, serial)) => (release, Some(serial)),
        };
        let arch = arch.unwrap_or("amd64");
        if !matches!(arch, "amd64" | "arm64") {
            return refuse("its architecture is to be amd64 or arm64");
        }
        let variant = variant.unwrap_or(match distribution {
            Distribution::Ubuntu => "disk1",
            Distribution::Debian => "generic",
            Distribution::Alpine => "bios-cloudinit",
        });
        // All of these become parts of addresses and file names.
        if ![release, variant].into_iter().chain(serial).all(is_word) {
            return refuse("release, serial and variant are of letters, digits and . _ -");
        }
        let own = |text: &str| text.to_owned();
        let (release, serial) = (own(release), serial.map(own));
        Ok(Self { distribution, release, serial, arch: own(arch), variant: own(variant) })
    }

    /// Whether a locked entry is what is wanted.
    #[must_use]
    pub fn is_met_by(&self, entry: &Entry) -> bool {
        let serial = self.serial.as_ref();
        entry.base == self.name()
            && entry.arch == self.arch
            && entry.variant == self.variant
            && (serial.is_none() || serial == entry.serial.as_ref())
    }

    /// The name without the serial, such as `ubuntu:noble`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.distribution.name(), self.release)
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())?;
        if let Some(serial) = &self.serial {
            write!(f, "/{serial}")?;
        }
        write!(f, " ({} {})", self.arch, self.variant)
    }
}

fn is_word(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(plain)
}

/// An image that was found.
struct Found {
    serial: Option<String>,
    /// Its place below the mirror.
    path: String,
    digest: Digest,
    size: Option<u64>,
    signed_by: Option<String>,
}

/// Looks an image up with the catalog's own means.
///
/// # Errors
/// A catalog that is not configured or does not answer, one whose signatures do not hold,
/// and an image that it does not have.
pub(crate) fn resolve(wanted: &Wanted, config: &Config, watch: &Watch<'_>) -> Result<Entry> {
    let catalog = config.catalog(wanted.distribution)?;
    let client = Client::new(&config.download)?;
    let mut trouble = None;
    for mirror in &catalog.mirrors {
        watch.check()?;
        let site = Site { client: &client, mirror, catalog, watch };
        let found = match wanted.distribution {
            Distribution::Ubuntu => ubuntu::resolve(&site, wanted),
            Distribution::Debian => debian::resolve(&site, wanted),
            Distribution::Alpine => alpine::resolve(&site, wanted),
        };
        match found {
            Ok(found) => return Ok(entry(wanted, found)),
            // Another mirror may be reachable. What was reached and is wrong ends it.
            Err(error @ Error::Http { .. }) => {
                watch.note(&error.to_string());
                trouble = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    watch.check()?;
    Err(trouble.unwrap_or_else(|| config.unconfigured(wanted.distribution)))
}

fn entry(wanted: &Wanted, found: Found) -> Entry {
    let Found { serial, path, digest, size, signed_by } = found;
    let Wanted { arch, variant, .. } = wanted.clone();
    Entry { base: wanted.name(), arch, variant, serial, path, digest, size, signed_by }
}

/// A mirror of a catalog, and the means to ask it.
struct Site<'a> {
    client: &'a Client,
    mirror: &'a str,
    catalog: &'a Catalog,
    watch: &'a Watch<'a>,
}

impl Site<'_> {
    /// A small file below the mirror.
    fn get(&self, path: &str) -> Result<Vec<u8>> {
        let url = address(self.mirror, path)?;
        self.client.small(&url, self.watch).map_err(|failure| failure.at(&url))
    }

    /// A small file that is proven by a signature beside it, and who signed it.
    fn signed(&self, path: &str) -> Result<(Vec<u8>, String)> {
        let data = self.get(path)?;
        let signature = self.get(&format!("{path}.gpg"))?;
        let file = self.catalog.keyring.as_deref().unwrap_or(UBUNTU_KEYRING.as_ref());
        let keyring = std::fs::read(file).map_err(|_| Error::Unconfigured {
            problem: format!(
                "the keyring {} is missing, so {path} cannot be verified; install the package \
                 ubuntu-keyring (Debian) or ubuntu-cloudimage-keyring (Ubuntu), or name a keyring \
                 with the pinned key under `keyring` in the catalog's configuration",
                file.display()
            ),
        })?;
        let pinned = [UBUNTU_KEY.to_owned()];
        let own = self.catalog.fingerprints.as_slice();
        let fingerprints = if own.is_empty() { &pinned[..] } else { own };
        let trust = Trust { keyring: &keyring, fingerprints, now: SystemTime::now() };
        let what = address(self.mirror, path)?;
        let by = trust.verify(&crate::http::shown(&what), &data, &signature)?;
        Ok((data, by))
    }

    /// A small file that nothing but the connection proves.
    fn unsigned(&self, path: &str) -> Result<String> {
        let url = address(self.mirror, path)?;
        if !url.starts_with("https:") {
            let what = crate::http::shown(&url);
            let problem = "it is not signed, and the mirror is not read over https".to_owned();
            return Err(Error::Signature { what, problem });
        }
        let text = String::from_utf8_lossy(&self.get(path)?).into_owned();
        self.watch.note(&format!(
            "{} is not signed by its publisher: the server is trusted this once, and \
             bootwright.lock pins the digest from now on",
            crate::http::shown(&url)
        ));
        Ok(text)
    }
}

/// An address below a mirror.
///
/// # Errors
/// [`Error::Malformed`] for a path that leads elsewhere.
pub(crate) fn address(mirror: &str, path: &str) -> Result<String> {
    let is_plain = !path.is_empty()
        && path.split('/').all(|part| !part.is_empty() && part != ".." && part != ".")
        && path.bytes().all(|byte| byte.is_ascii_graphic() && !b"?#\\%@:".contains(&byte));
    match is_plain {
        true => Ok(format!("{}/{path}", mirror.trim_end_matches('/'))),
        false => Err(Failure::lasting(format!("{path:?} is no path below a mirror")).at(mirror)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_strictly() {
        let wanted = Wanted::parse("ubuntu:noble/20260101", Some("arm64"), None).unwrap();
        assert_eq!(wanted.to_string(), "ubuntu:noble/20260101 (arm64 disk1)");
        assert_eq!(Wanted::parse("debian:trixie", None, None).unwrap().variant, "generic");
        for bad in ["ubuntu", "ubuntu:", "ubuntu:../x", "ubuntu:noble/", "fedora:42", "alpine:3/-"]
        {
            assert!(Wanted::parse(bad, None, None).is_err(), "{bad}");
        }
        assert!(Wanted::parse("ubuntu:noble", Some("s390x"), None).is_err());
        assert!(Wanted::parse("ubuntu:noble", None, Some("a/b")).is_err());
    }

    #[test]
    fn paths_stay_below_their_mirror() {
        assert_eq!(address("https://h/a/", "b/c.img").unwrap(), "https://h/a/b/c.img");
        for bad in ["", "/etc", "a//b", "../b", "a/../b", "https://e/x", "a?b", "a b", "a/./b"] {
            assert!(address("https://h", bad).is_err(), "{bad}");
        }
    }
}
