//! The archive as a reader meets it: in order, with the sizes and digests it states.

use std::io::Read;

use bootwright_disk::unit::{Content, Data, UNIT};

use super::*;
use crate::machine;

/// A sink in memory.
#[derive(Default)]
struct Bytes(Vec<u8>);

impl Sink for Bytes {
    fn position(&self) -> u64 {
        self.0.len() as u64
    }

    fn append(&mut self, data: &[u8]) -> Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    fn skip(&mut self, len: u64) -> Result<()> {
        self.0.resize(self.0.len() + len as usize, 0);
        Ok(())
    }

    fn patch(&mut self, offset: u64, data: &[u8]) -> Result<()> {
        self.0[offset as usize..offset as usize + data.len()].copy_from_slice(data);
        Ok(())
    }
}

fn written(digest: Algorithm) -> Vec<(String, Vec<u8>)> {
    let options = Options {
        controller: Controller::LsiLogic,
        hardware: 15,
        digest,
        level: 6,
        time: 1_700_000_000,
    };
    let mut writer = Writer::new(&machine::example(), options).unwrap();
    let mut sink = Bytes::default();
    let data = Data { raw: vec![7; UNIT as usize], deflate: None, zstd: None, adler: Some(1) };
    let unit = Unit { offset: 0, len: UNIT, content: Content::Data(data) };
    writer.put(&unit, &mut sink).unwrap();
    writer.finish(&mut sink).unwrap();
    let mut archive = tar::Archive::new(&sink.0[..]);
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut data = Vec::new();
        entry.read_to_end(&mut data).unwrap();
        (entry.path().unwrap().display().to_string(), data)
    });
    entries.collect()
}

#[test]
fn the_envelope_comes_first_and_everything_is_as_stated() {
    for (digest, name) in
        [(Algorithm::Sha1, "SHA1"), (Algorithm::Sha256, "SHA256"), (Algorithm::Sha512, "SHA512")]
    {
        let entries = written(digest);
        let names: Vec<&str> = entries.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["demo-1.0.0.ovf", "demo-1.0.0.mf", "demo-1.0.0-disk1.vmdk"]);
        let envelope = String::from_utf8(entries[0].1.clone()).unwrap();
        let size = format!(
            "ovf:href=\"demo-1.0.0-disk1.vmdk\" ovf:id=\"file1\" ovf:size=\"{}\"",
            entries[2].1.len()
        );
        assert!(envelope.contains(&size), "{envelope}");
        assert!(envelope.contains("An &lt;example&gt; &amp; more"));
        let manifest = String::from_utf8(entries[1].1.clone()).unwrap();
        let expected = [&entries[0], &entries[2]]
            .map(|(file, data)| format!("{name}({file})= {}\n", Hasher::digest(digest, data)));
        assert_eq!(manifest, expected.concat());
    }
}
