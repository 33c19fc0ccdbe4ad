//! Files appear whole or not at all, with the right digest.

use super::*;

fn names(dir: &Path) -> Vec<String> {
    let entries = fs::read_dir(dir).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn a_file_without_a_name_until_it_is_complete() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.raw");
    let mut sink = Sink::create(&path, SinkOptions::default()).unwrap();
    sink.write(&[7; 3 << 20]).unwrap();
    assert_eq!(names(dir.path()), [""; 0]);
    sink.hole(5 << 20).unwrap();
    let finished = sink.complete().unwrap().publish().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!((finished.size, bytes.len()), (8 << 20, 8 << 20));
    assert_eq!(finished.sha256, Sha256::of(&bytes));
    assert!(bytes[3 << 20..].iter().all(|&byte| byte == 0));
}

#[test]
fn a_dropped_file_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.raw");
    drop(Sink::create(&path, SinkOptions::default()).unwrap());
    let named = Unnamed::with_name(&path, 0o666).unwrap();
    assert_eq!(names(dir.path()).len(), 1);
    drop(named);
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn another_file_is_replaced_only_on_demand() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.raw");
    fs::write(&path, "old").unwrap();
    let kept = Sink::create(&path, SinkOptions::default()).unwrap_err().to_string();
    assert_eq!(kept, format!("{} exists; give --force to replace it", path.display()));
    let replace = SinkOptions { replace: true, ..SinkOptions::default() };
    write_file(&path, b"new", replace).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(names(dir.path()), ["out.raw"]);
    for replace in [true, false] {
        let other = dir.path().join(format!("named-{replace}"));
        let named = Unnamed::with_name(&other, 0o666).unwrap();
        named.publish(&other, replace).unwrap();
        let again = Unnamed::with_name(&other, 0o666).unwrap();
        assert_eq!(again.publish(&other, replace).is_ok(), replace);
    }
    assert_eq!(names(dir.path()).len(), 3);
}

#[test]
fn a_file_that_comes_meanwhile_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.raw");
    let mut sink = Sink::create(&path, SinkOptions::default()).unwrap();
    sink.write(b"late").unwrap();
    fs::write(&path, "first").unwrap();
    assert!(matches!(sink.complete().unwrap().publish(), Err(Error::Exists { .. })));
    assert_eq!(fs::read(&path).unwrap(), b"first");
}

#[test]
fn patches_count_in_the_digest() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("out.qcow2");
    let options = SinkOptions { patched: true, ..SinkOptions::default() };
    let mut sink = Sink::create(&path, options).unwrap();
    sink.hole(100).unwrap();
    sink.write(b"body").unwrap();
    FormatSink { sink: &mut sink, failure: None }.patch(0, b"head").unwrap();
    let finished = sink.complete().unwrap().publish().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!((&bytes[..4], &bytes[100..]), (&b"head"[..], &b"body"[..]));
    assert_eq!(finished.sha256, Sha256::of(&bytes));
}

#[test]
fn secrets_are_never_readable_by_others() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("seed.iso");
    let options = SinkOptions { mode: 0o600, ..SinkOptions::default() };
    let sink = Sink::create(&path, options).unwrap();
    let mode = |stat: fs::Metadata| stat.permissions().mode() & 0o777;
    let target::Target::File(file) = &sink.target else { panic!("{sink:?}") };
    assert_eq!(mode(file.file().metadata().unwrap()), 0o600);
    sink.complete().unwrap().publish().unwrap();
    assert_eq!(mode(fs::metadata(&path).unwrap()), 0o600);
}

#[test]
fn a_missing_folder_is_named() {
    let path = Path::new("/nonexistent/folder/out.raw");
    let error = Sink::create(path, SinkOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "creating /nonexistent/folder/out.raw failed");
}

#[test]
fn a_stream_gets_every_byte_in_order() {
    let (mut reader, writer) = std::io::pipe().unwrap();
    let writing = std::thread::spawn(move || {
        let mut sink = Sink::stream("-", Box::new(writer));
        sink.write(b"start").unwrap();
        sink.hole(3 << 20).unwrap();
        sink.write(b"end").unwrap();
        sink.complete().unwrap().publish().unwrap()
    });
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut reader, &mut bytes).unwrap();
    let finished = writing.join().unwrap();
    assert_eq!(bytes.len(), 8 + (3 << 20));
    assert!(bytes.starts_with(b"start\0") && bytes.ends_with(b"\0end"));
    assert_eq!(finished.sha256, Sha256::of(&bytes));
}
