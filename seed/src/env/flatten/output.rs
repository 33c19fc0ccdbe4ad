//! The files that variables are written as.

use super::{FlattenError, Variable};

/// Longest line that docker reads from an env-file, in bytes: the buffer of its scanner.
const DOCKER_LINE: usize = 64 * 1024;

/// A kind of file with variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// To be read with `.` by any POSIX shell.
    Sh,
    /// For systemd's `EnvironmentFile=`.
    Systemd,
    /// For `docker run --env-file`.
    Docker,
}

impl Output {
    /// The file.
    ///
    /// # Errors
    /// A value that such a file cannot hold.
    pub fn render(self, variables: &[Variable]) -> Result<String, FlattenError> {
        let mut text = String::new();
        for variable in variables {
            text += &self.line(variable)?;
            text.push('\n');
        }
        Ok(text)
    }

    fn line(self, variable: &Variable) -> Result<String, FlattenError> {
        let Variable { name, value, .. } = variable;
        let unfit = |problem, advice| {
            let (name, at) = (name.clone(), variable.at.clone());
            Err(FlattenError::Unfit { name, at, problem, output: self.describe(), advice })
        };
        if value.contains('\0') {
            return unfit("holds a NUL character", "no program can get one from its environment");
        }
        match self {
            Self::Sh => Ok(format!("export {name}='{}'", value.replace('\'', "'\\''"))),
            Self::Systemd => Ok(format!("{name}=\"{}\"", escaped(value))),
            // Everything after `=` is the value, as it stands: there are no quotes.
            Self::Docker if value.contains('\n') => {
                unfit("has more than one line", "leave its key out, or use another format")
            }
            Self::Docker if value.ends_with('\r') => {
                unfit("ends in a carriage return", "take it off, or use another format")
            }
            Self::Docker if name.len() + value.len() + 2 > DOCKER_LINE => {
                unfit("is longer than 64 KiB", "leave its key out, or use another format")
            }
            Self::Docker => Ok(format!("{name}={value}")),
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Sh => "a shell's file",
            Self::Systemd => "an EnvironmentFile",
            Self::Docker => "docker's env-file",
        }
    }
}

/// `value` for between double quotes: systemd takes a backslash before these four characters
/// away (env-file.c, SHELL_NEED_ESCAPE), and everything else stands for itself, newlines too.
fn escaped(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '"' | '\\' | '`' | '$') {
            text.push('\\');
        }
        text.push(c);
    }
    text
}
