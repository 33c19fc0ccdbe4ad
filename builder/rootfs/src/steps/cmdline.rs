//! Additions to the kernel command line, in GRUB's settings and in the present grub.cfg.

use super::{read_text, refuse};
use crate::Result;
use crate::content::Content;
use crate::edit::Edit;
use crate::tree::Tree;

/// Read by grub-mkconfig on Debian and Ubuntu, so that a new kernel keeps the additions.
const SETTINGS: &str = "/etc/default/grub.d/90-bootwright.cfg";
/// What GRUB boots with now; the guest rewrites it at the next kernel update.
const GRUB_CFG: &str = "/boot/grub/grub.cfg";

/// The edits that add `args` to the command line of every kernel.
///
/// # Errors
/// An argument with characters that GRUB's files would take for something else, an image
/// without grub.cfg, and what reading the image says.
pub fn edits(tree: &mut Tree, args: &[String]) -> Result<Vec<Edit>> {
    if args.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(bad) = args.iter().find(|arg| !is_plain(arg)) {
        return refuse(
            "kernel_cmdline",
            format!("{bad:?} is empty or holds spaces, quotes, $, ;, \\ or control characters"),
        );
    }
    let settings = format!(
        "# Written by bootwright: kernel_cmdline of the profile.\n\
         GRUB_CMDLINE_LINUX=\"${{GRUB_CMDLINE_LINUX:+$GRUB_CMDLINE_LINUX }}{}\"\n",
        args.join(" ")
    );
    let present = read_text(tree, GRUB_CFG)?;
    if present.is_empty() {
        return refuse(GRUB_CFG, "the image has none, so the kernel command line cannot be set");
    }
    Ok(vec![
        Edit::text(SETTINGS, settings, 0o644),
        Edit::Rewrite {
            path: GRUB_CFG.as_bytes().to_vec(),
            content: Content::Bytes(with_args(&present, args).into_bytes()),
        },
    ])
}

/// Whether an argument means itself in a shell file and in grub.cfg.
fn is_plain(arg: &str) -> bool {
    let special = |c: char| c.is_whitespace() || c.is_control() || "\"'`$;\\&|<>{}#".contains(c);
    !arg.is_empty() && !arg.contains(special)
}

/// grub.cfg with `args` at the end of every line that loads a kernel, unless they are there.
fn with_args(grub_cfg: &str, args: &[String]) -> String {
    let mut out = String::with_capacity(grub_cfg.len() + 256);
    for line in grub_cfg.split_inclusive('\n') {
        let body = line.trim_end_matches('\n');
        out.push_str(body);
        let mut words = body.split_whitespace();
        let command = words.next().unwrap_or_default();
        let kernel = words.next().unwrap_or_default();
        let loads = matches!(command, "linux" | "linux16" | "linuxefi") && kernel.contains('/');
        if loads {
            let present: Vec<&str> = words.collect();
            for arg in args.iter().filter(|arg| !present.contains(&arg.as_str())) {
                out.push(' ');
                out.push_str(arg);
            }
        }
        out.push_str(&line[body.len()..]);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_get_what_they_lack() {
        let config = "set linux x\n\tlinux\t/boot/vmlinuz-6.1 root=LABEL=x ro quiet \n\
                      \tinitrd /boot/initrd\nif linux ; then\n  linux /vmlinuz-5 console=ttyS0";
        let args = ["console=ttyS0".to_owned(), "quiet".to_owned()];
        let expected = "set linux x\n\tlinux\t/boot/vmlinuz-6.1 root=LABEL=x ro quiet  console=ttyS0\n\
                        \tinitrd /boot/initrd\nif linux ; then\n  linux /vmlinuz-5 console=ttyS0 quiet";
        assert_eq!(with_args(config, &args), expected);
        assert_eq!(with_args(expected, &args), expected);
    }

    #[test]
    fn arguments_are_plain() {
        assert!(is_plain("console=ttyS0,115200n8"));
        assert!(is_plain("dyndbg=module:*,x+p"));
        for bad in ["", "a b", "x=$(id)", "a\"b", "a;b", "a\nb"] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }
}
