//! `bootwright image convert`.

use std::io;
use std::path::Path;

use anyhow::Result;
use bootwright_disk::view::View;
use bootwright_disk::{gpt, qcow2, vhd, vhdx};
use bootwright_export::compressed::Codec;
use bootwright_export::pass::{Output, Pass};
use bootwright_export::sink::{Sink, SinkOptions};

use crate::cli::{Compression, Convert, Flavour, InputFormat, Subformat};
use crate::exit::Usage;
use crate::formats::{Disk, DiskFormat, Vmdk};
use crate::image::scan;
use crate::progress::Progress;
use crate::{interrupt, report};

/// Converts an image.
///
/// # Errors
/// Arguments that do not go together, an input that cannot be read, an output that cannot
/// be written.
pub fn run(arguments: &Convert, progress: Progress) -> Result<()> {
    let mut format = choose(arguments)?;
    let is_stdout = arguments.out == Path::new("-");
    if is_stdout && format.is_patched() {
        return usage(format!(
            "{} cannot be written to a pipe: it is patched at the end; name a file",
            format.extension()
        ));
    }
    if !is_stdout && !arguments.force && arguments.out.symlink_metadata().is_ok() {
        return Err(bootwright_export::Error::Exists { path: arguments.out.clone() }.into());
    }
    let input = super::open(&arguments.source, progress)?;
    let view: &dyn View = &input.image.view;
    let jobs = arguments.jobs.unwrap_or_else(scan::processors);
    let name = match arguments.out.file_name() {
        Some(name) if !is_stdout => name.to_string_lossy().into_owned(),
        _ => format!("disk.{}", format.extension()),
    };
    // A partition table counts in the sectors of the disk that it was made for. One that is
    // damaged says nothing, and is converted as it is.
    if matches!(format, DiskFormat::Vhdx(_))
        && gpt::sector_size(view).is_ok_and(|size| size == Some(4096))
    {
        format = DiskFormat::Vhdx(vhdx::Sectors::Large);
    }
    let stage = progress.stage("deriving identifiers");
    let id = match format.has_ids() {
        true => scan::content_id(view)?,
        false => uuid::Uuid::nil(),
    };
    drop(stage);
    let disk = Disk { size: view.size(), name, id, time: time()?, jobs };
    let writer = format.writer(&disk)?;
    let sink = if is_stdout {
        Sink::stream("stdout", Box::new(io::stdout()))
    } else {
        let patched = format.is_patched();
        let options = SinkOptions { replace: arguments.force, patched, ..SinkOptions::default() };
        Sink::create(&arguments.out, options)?
    };
    let bar = progress.bytes("converting", view.size());
    let pass = Pass { disk: view, jobs, progress: &|done| bar.at(done), cancel: interrupt::flag() };
    pass.run(vec![Output { writer, sink }])?;
    drop(bar);
    if !is_stdout {
        report::data(arguments.out.display());
    }
    Ok(())
}

fn usage<T>(problem: String) -> Result<T> {
    Err(Usage(problem).into())
}

/// The format that the arguments ask for.
fn choose(arguments: &Convert) -> Result<DiskFormat> {
    let (format, packed) = match (arguments.format, by_ending(&arguments.out)) {
        (Some(format), _) => (format, None),
        (None, Some(told)) => told,
        (None, None) => {
            return usage(format!(
                "the ending of {} tells no format; give --format",
                arguments.out.display()
            ));
        }
    };
    let chosen = of_format(format, arguments, arguments.compression.or(packed))?;
    if arguments.flavour.is_some() && !matches!(chosen, DiskFormat::Vhd { .. }) {
        return usage("--flavour is for vhd alone".to_owned());
    }
    if arguments.level.is_some() && !chosen.is_compressed() {
        return usage("--level is for compressed formats alone".to_owned());
    }
    Ok(chosen)
}

/// A format with what is said about it, if that goes together.
fn of_format(
    format: InputFormat,
    arguments: &Convert,
    compression: Option<Compression>,
) -> Result<DiskFormat> {
    let uncompressed = matches!(compression, None | Some(Compression::None));
    Ok(match (format, arguments.subformat) {
        (InputFormat::Raw, None) => raw(compression, arguments.level)?,
        (InputFormat::Qcow2, None) => DiskFormat::Qcow2(qcow2(compression, arguments.level)?),
        (InputFormat::Vmdk, None | Some(Subformat::StreamOptimized))
            if matches!(compression, None | Some(Compression::Zlib)) =>
        {
            DiskFormat::Vmdk(Vmdk::StreamOptimized(level(arguments.level, 6, 9)?))
        }
        (InputFormat::Vmdk, Some(Subformat::MonolithicSparse)) if uncompressed => {
            DiskFormat::Vmdk(Vmdk::MonolithicSparse)
        }
        (InputFormat::Vhdx, None | Some(Subformat::Dynamic)) if uncompressed => {
            DiskFormat::Vhdx(vhdx::Sectors::default())
        }
        (InputFormat::Vhd, None | Some(Subformat::Dynamic | Subformat::Fixed)) if uncompressed => {
            DiskFormat::Vhd {
                flavour: flavour(arguments.flavour),
                fixed: arguments.subformat == Some(Subformat::Fixed),
            }
        }
        _ => {
            return usage(
                "this format has no such subformat or compression; \
                 `bootwright image convert --help` lists them"
                    .to_owned(),
            );
        }
    })
}

/// The wanted level, or the usual one, up to the most that the compression has.
fn level(wanted: Option<u32>, usual: u32, most: u32) -> Result<u32> {
    match wanted.unwrap_or(usual) {
        level if level <= most => Ok(level),
        level => usage(format!("--level {level}: this compression has levels 1 to {most}")),
    }
}

fn raw(compression: Option<Compression>, wanted: Option<u32>) -> Result<DiskFormat> {
    Ok(DiskFormat::RawCompressed(match compression {
        None | Some(Compression::None) => return Ok(DiskFormat::Raw),
        Some(Compression::Zstd) => Codec::Zstd(level(wanted, 3, 19)?.cast_signed()),
        Some(Compression::Xz) => Codec::Xz(level(wanted, 6, 9)?),
        Some(Compression::Gzip) => Codec::Gzip(level(wanted, 6, 9)?),
        Some(Compression::Zlib) => {
            return usage("a raw image is compressed with zstd, gzip, xz or none".to_owned());
        }
    }))
}

fn qcow2(compression: Option<Compression>, wanted: Option<u32>) -> Result<qcow2::Compression> {
    Ok(match compression {
        None | Some(Compression::Zlib) => qcow2::Compression::Zlib(level(wanted, 6, 9)?),
        Some(Compression::Zstd) => qcow2::Compression::Zstd(level(wanted, 3, 19)?.cast_signed()),
        Some(Compression::None) => qcow2::Compression::None,
        Some(Compression::Gzip | Compression::Xz) => {
            return usage("a qcow2 is compressed with zlib, zstd or none".to_owned());
        }
    })
}

fn flavour(given: Option<Flavour>) -> vhd::Flavour {
    match given {
        None | Some(Flavour::HyperV) => vhd::Flavour::HyperV,
        Some(Flavour::Xenserver) => vhd::Flavour::XenServer,
    }
}

/// The format that a file name tells, and the compression of a raw image.
fn by_ending(path: &Path) -> Option<(InputFormat, Option<Compression>)> {
    let ending = path.extension()?.to_str()?.to_ascii_lowercase();
    Some(match ending.as_str() {
        "raw" | "img" => (InputFormat::Raw, None),
        "zst" => (InputFormat::Raw, Some(Compression::Zstd)),
        "gz" => (InputFormat::Raw, Some(Compression::Gzip)),
        "xz" => (InputFormat::Raw, Some(Compression::Xz)),
        "qcow2" => (InputFormat::Qcow2, None),
        "vmdk" => (InputFormat::Vmdk, None),
        "vhdx" => (InputFormat::Vhdx, None),
        "vhd" | "vpc" => (InputFormat::Vhd, None),
        _ => return None,
    })
}

/// The time in the output: the environment's, or none at all.
fn time() -> Result<i64> {
    match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().or_else(|_| {
            usage(format!("SOURCE_DATE_EPOCH is {text:?}, expected seconds since 1970"))
        }),
        Err(_) => Ok(0),
    }
}
