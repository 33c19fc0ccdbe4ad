//! `bootwright image ls`.

use anyhow::Result;
use bootwright_rootfs::{Attr, Found, Kind, Tree};
use serde::Serialize;

use crate::cli::Ls;
use crate::progress::Progress;
use crate::report;

/// A file, as JSON has it.
#[derive(Serialize)]
struct Entry {
    path: String,
    kind: &'static str,
    mode: String,
    uid: u32,
    gid: u32,
    size: u64,
    links: u32,
    mtime: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<(u32, u32)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<String>,
}

/// Lists files of an image.
///
/// # Errors
/// An image that cannot be read, and a path that is not in it.
pub fn run(arguments: &Ls, progress: Progress) -> Result<()> {
    let input = super::open(&arguments.source, progress)?;
    let mut tree = super::tree(&input, progress)?;
    // As ls does: a symlink to a directory is shown as such only if the path is all of it.
    let start = super::find(&mut tree, &arguments.path, true)?;
    let found = match start.attr.kind {
        Kind::Dir => children(&mut tree, &start, arguments.recursive)?,
        _ => vec![super::find(&mut tree, &arguments.path, false)?],
    };
    if arguments.json {
        let entries = found.iter().map(|file| entry(&mut tree, file));
        return report::json(&entries.collect::<Result<Vec<_>>>()?);
    }
    for file in &found {
        let path = if arguments.recursive { &file.path[..] } else { file.name() };
        let mut line = report::name(path);
        if arguments.long {
            line = format!("{} {line}", long(&file.attr));
            if file.attr.kind == Kind::Symlink {
                line += &format!(" -> {}", report::name(&tree.target_of(file)?));
            }
        }
        report::data(line);
    }
    Ok(())
}

/// What is in a directory, or everything below it.
fn children(tree: &mut Tree, dir: &Found, recursive: bool) -> Result<Vec<Found>> {
    let mut children = tree.children(dir)?;
    if !recursive {
        return Ok(children);
    }
    let mut all = Vec::new();
    children.reverse();
    while let Some(file) = children.pop() {
        children.extend(tree.children(&file)?.into_iter().rev());
        all.push(file);
    }
    Ok(all)
}

fn entry(tree: &mut Tree, file: &Found) -> Result<Entry> {
    let Attr { kind, mode, uid, gid, size, links, mtime, device } = file.attr;
    let target = match kind {
        Kind::Symlink => Some(String::from_utf8_lossy(&tree.target_of(file)?).into_owned()),
        _ => None,
    };
    let path = String::from_utf8_lossy(&file.path).into_owned();
    let mode = format!("{mode:04o}");
    Ok(Entry { path, kind: kind.name(), mode, uid, gid, size, links, mtime, device, target })
}

/// The columns of `ls -ln`.
fn long(attr: &Attr) -> String {
    let size = match attr.device {
        Some((major, minor)) => format!("{major}, {minor}"),
        None => attr.size.to_string(),
    };
    format!(
        "{} {:>3} {:>5} {:>5} {:>10} {}",
        mode(attr),
        attr.links,
        attr.uid,
        attr.gid,
        size,
        time(attr.mtime)
    )
}

/// Kind and permissions in ten letters.
fn mode(attr: &Attr) -> String {
    let kind = match attr.kind {
        Kind::File => '-',
        Kind::Dir => 'd',
        Kind::Symlink => 'l',
        Kind::CharDevice => 'c',
        Kind::BlockDevice => 'b',
        Kind::Fifo => 'p',
        Kind::Socket => 's',
    };
    let mut letters: Vec<char> = "rwxrwxrwx"
        .chars()
        .enumerate()
        .map(|(index, letter)| if attr.mode & 0o400 >> index == 0 { '-' } else { letter })
        .collect();
    for (bit, at, letter) in [(0o4000, 2, 's'), (0o2000, 5, 's'), (0o1000, 8, 't')] {
        if attr.mode & bit != 0 {
            letters[at] = if letters[at] == 'x' { letter } else { letter.to_ascii_uppercase() };
        }
    }
    std::iter::once(kind).chain(letters).collect()
}

/// A time in UTC, such as `2020-09-13 12:26`.
fn time(seconds: i64) -> String {
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Howard Hinnant's civil_from_days: eras of 400 years that start in March.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}", rest / 3600, rest / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        assert_eq!(time(0), "1970-01-01 00:00");
        assert_eq!(time(951_782_400), "2000-02-29 00:00");
        assert_eq!(time(1_600_000_000), "2020-09-13 12:26");
        assert_eq!(time(-1), "1969-12-31 23:59");
    }

    #[test]
    fn special_bits_are_shown_as_ls_does() {
        let attr = |kind, mode| Attr {
            kind,
            mode,
            uid: 0,
            gid: 0,
            size: 0,
            links: 1,
            mtime: 0,
            device: None,
        };
        assert_eq!(mode(&attr(Kind::File, 0o4755)), "-rwsr-xr-x");
        assert_eq!(mode(&attr(Kind::Dir, 0o1777)), "drwxrwxrwt");
        assert_eq!(mode(&attr(Kind::File, 0o2640)), "-rw-r-S---");
    }
}
