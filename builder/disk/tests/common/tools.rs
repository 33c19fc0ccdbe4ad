//! Foreign tools: they judge what is written here and write what is read here. One that is
//! missing fails the test.

#![allow(clippy::unwrap_used, reason = "test code outside of #[test] functions")]

use std::path::Path;
use std::process::Command;

/// A path as tools want it.
pub fn path(dir: &Path, name: &str) -> String {
    dir.join(name).to_str().unwrap().to_owned()
}

/// Runs a tool that must be there and succeed; gives its output.
pub fn run(program: &str, args: &[&str]) -> String {
    let output = Command::new(program)
        .args(args)
        .output()
        .unwrap_or_else(|error| panic!("{program} does not run ({error}): run ci/setup"));
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "{program} {args:?}: {}\n{text}", output.status);
    text
}

/// Lets qemu-img write `raw` as an image, with the options of `-o`.
pub fn qemu_convert(raw: &str, format: &str, options: &str, image: &str) {
    let mut args = vec!["convert", "-f", "raw", "-O", format];
    if !options.is_empty() {
        args.extend(["-o", options]);
    }
    args.extend([raw, image]);
    run("qemu-img", &args);
}
