//! Compiles the libext2fs shim and links the library, statically where it can be.

fn main() {
    println!("cargo::rerun-if-changed=src/ext4/shim.c");
    let library = pkg_config::Config::new()
        .atleast_version("1.45")
        .statik(true)
        .cargo_metadata(false)
        .probe("ext2fs")
        .unwrap_or_else(|error| {
            panic!(
                "libext2fs is needed to edit ext4: install libext2fs-dev (Debian, Ubuntu) \
                    or e2fsprogs-devel (Fedora), or run ci/setup\n{error}"
            )
        });
    println!("cargo::rustc-env=BOOTWRIGHT_LIBEXT2FS={}", library.version);
    let mut build = cc::Build::new();
    build.file("src/ext4/shim.c").warnings(true).extra_warnings(true);
    for path in &library.include_paths {
        build.include(path);
    }
    build.compile("bootwright_ext4_shim");
    // Static, so that the tool is one file to carry; both archives come with the -dev package.
    for path in library.link_paths.iter().map(|path| path.display().to_string()).chain(multiarch())
    {
        println!("cargo::rustc-link-search=native={path}");
    }
    println!("cargo::rustc-link-lib=static=ext2fs");
    println!("cargo::rustc-link-lib=static=com_err");
}

/// Library folder of the C compiler's target: pkg-config leaves out what it thinks the
/// linker knows, but rustc looks for static archives itself.
fn multiarch() -> Option<String> {
    let archive = cc::Build::new()
        .get_compiler()
        .to_command()
        .arg("-print-file-name=libext2fs.a")
        .output()
        .ok()?;
    let path = String::from_utf8(archive.stdout).ok()?;
    let folder = std::path::Path::new(path.trim()).parent()?;
    folder.is_absolute().then(|| folder.display().to_string())
}
