//! Simplestreams: the JSON by which Ubuntu publishes what images there are.

use std::collections::BTreeMap;

use bootwright_disk::Sha256;
use serde::Deserialize;

use crate::{Error, Result};

/// Where the index lies below a mirror.
pub(crate) const INDEX: &str = "streams/v1/index.json";
/// What an entry of the index has to hold to be of use here.
const DOWNLOADS: &str = "image-downloads";

#[derive(Deserialize)]
struct Index {
    index: BTreeMap<String, Stream>,
}

#[derive(Deserialize)]
struct Stream {
    #[serde(default)]
    datatype: String,
    path: String,
}

#[derive(Deserialize)]
struct Products {
    products: BTreeMap<String, Product>,
}

#[derive(Deserialize)]
struct Product {
    #[serde(default)]
    arch: String,
    #[serde(default)]
    release: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    versions: BTreeMap<String, Version>,
}

#[derive(Deserialize)]
struct Version {
    #[serde(default)]
    items: BTreeMap<String, Item>,
}

#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    ftype: String,
    #[serde(default)]
    path: String,
    #[serde(default)]
    sha256: String,
    #[serde(default)]
    size: Option<u64>,
}

/// An image that a stream lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) serial: String,
    pub(crate) path: String,
    pub(crate) sha256: Sha256,
    pub(crate) size: Option<u64>,
}

/// What to look for in a stream.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Query<'a> {
    /// Name of the release (`noble`) or its number.
    pub(crate) release: &'a str,
    pub(crate) arch: &'a str,
    /// The kind of file, such as `disk1.img`.
    pub(crate) ftype: &'a str,
    /// The serial; the newest if there is none.
    pub(crate) serial: Option<&'a str>,
}

fn parse<'a, T: Deserialize<'a>>(what: &str, bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| Error::Malformed {
        what: what.to_owned(),
        problem: format!("it is no simplestreams file: {error}"),
    })
}

/// The paths of the product files that an index lists.
pub(crate) fn product_files(what: &str, index: &[u8]) -> Result<Vec<String>> {
    let index: Index = parse(what, index)?;
    let streams = index.index.into_values();
    Ok(streams.filter(|stream| stream.datatype == DOWNLOADS).map(|stream| stream.path).collect())
}

/// Finds an image in a product file; nothing if the file does not list it.
pub(crate) fn find(what: &str, products: &[u8], query: &Query<'_>) -> Result<Option<Listed>> {
    let products: Products = parse(what, products)?;
    let of_release = |product: &&Product| {
        product.arch == query.arch
            && (product.release == query.release || product.version == query.release)
    };
    let Some(product) = products.products.values().find(of_release) else {
        return Ok(None);
    };
    // Serials are dates with a counter, so their order as text is the order in time.
    let mut versions = product.versions.iter().rev();
    let is_wanted = |(serial, version): &(&String, &Version)| {
        query.serial.is_none_or(|wanted| wanted == *serial)
            && version.items.values().any(|item| item.ftype == query.ftype)
    };
    let Some((serial, version)) = versions.find(is_wanted) else {
        return Ok(None);
    };
    let Some(item) = version.items.values().find(|item| item.ftype == query.ftype) else {
        return Ok(None);
    };
    let Some(sha256) = Sha256::parse(&item.sha256) else {
        let problem =
            format!("the sha256 of {} is {:?}, expected 64 digits", item.path, item.sha256);
        return Err(Error::Malformed { what: what.to_owned(), problem });
    };
    let (serial, path) = (serial.clone(), item.path.clone());
    Ok(Some(Listed { serial, path, sha256, size: item.size }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRODUCTS: &str = r#"{"products": {
      "com.ubuntu.cloud:server:24.04:amd64": {"arch": "amd64", "release": "noble", "version": "24.04",
        "versions": {
          "20260101": {"items": {"disk1.img": {"ftype": "disk1.img", "path": "n/1.img", "size": 5,
            "sha256": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}}},
          "20260202": {"items": {"disk1.img": {"ftype": "disk1.img", "path": "n/2.img",
            "sha256": "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"}}},
          "20260303": {"items": {"manifest": {"ftype": "manifest", "path": "n/3"}}}}}}}"#;

    #[test]
    fn the_newest_or_the_wanted_serial_is_found() {
        let query = |serial| Query { release: "noble", arch: "amd64", ftype: "disk1.img", serial };
        let found = |query| find("p", PRODUCTS.as_bytes(), &query).unwrap();
        let newest = found(query(None)).unwrap();
        assert_eq!((newest.serial.as_str(), newest.path.as_str()), ("20260202", "n/2.img"));
        let first = found(query(Some("20260101"))).unwrap();
        assert_eq!((first.path.as_str(), first.size), ("n/1.img", Some(5)));
        assert_eq!(found(query(Some("20250101"))), None);
        assert_eq!(found(Query { arch: "arm64", ..query(None) }), None);
        assert_eq!(found(Query { release: "24.04", ..query(None) }), Some(newest));
        let bad = PRODUCTS.replace("bbbbbb", "");
        let error = find("p", bad.as_bytes(), &query(None)).unwrap_err().to_string();
        assert!(error.contains("expected 64 digits"), "{error}");
        assert!(
            find("p", b"[]", &query(None)).unwrap_err().to_string().contains("no simplestreams")
        );
    }

    #[test]
    fn only_downloads_are_followed() {
        let index = br#"{"index": {
            "a": {"datatype": "image-downloads", "path": "streams/v1/a.json"},
            "b": {"datatype": "image-ids", "path": "streams/v1/b.json"}}}"#;
        assert_eq!(product_files("index", index).unwrap(), ["streams/v1/a.json"]);
    }
}
