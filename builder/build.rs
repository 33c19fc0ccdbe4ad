//! Builds the agent for the guests, so that it travels inside the tool.
//!
//! Cargo cannot yet make one package's program a dependency of another, so this runs it
//! once more. `BOOTWRIGHT_AGENT_AMD64` names a program to carry instead.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = "x86_64-unknown-linux-musl";
const PREBUILT: &str = "BOOTWRIGHT_AGENT_AMD64";

fn main() {
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let agent = match env::var_os(PREBUILT) {
        Some(path) => PathBuf::from(path),
        None => build(&out),
    };
    println!("cargo::rerun-if-changed={}", agent.display());
    let copy = out.join("agent-amd64");
    if let Err(error) = std::fs::copy(&agent, &copy) {
        panic!("copying the agent {} failed: {error}", agent.display());
    }
}

fn build(out: &Path) -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for input in ["agent/src", "agent/Cargo.toml", "seed/src", "seed/Cargo.toml", "Cargo.lock"] {
        println!("cargo::rerun-if-changed={}", workspace.join(input).display());
    }
    // OUT_DIR is TARGET/PROFILE/build/PACKAGE/out; all profiles share one agent.
    let target_dir = out.ancestors().nth(4).unwrap_or(out).join("agent");
    let mut cargo = Command::new(env::var_os("CARGO").expect("cargo sets CARGO"));
    cargo
        .args(["build", "--package", "bootwright-agent", "--profile", "agent", "--target", TARGET])
        .arg("--manifest-path")
        .arg(workspace.join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target_dir);
    // What was set for the build around this one is not meant for another target.
    for name in ["RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "CARGO_ENCODED_RUSTFLAGS", "RUSTFLAGS"]
    {
        cargo.env_remove(name);
    }
    let status = cargo.status().expect("cargo runs");
    assert!(
        status.success(),
        "building the agent failed; if the target is missing, run `rustup target add {TARGET}` \
         or ci/setup"
    );
    target_dir.join(TARGET).join("agent/bootwright-agent")
}
