//! `storage_filesystems`: what the storage plan puts on devices, and where it is mounted.

use super::Options;
use super::layout::{self, Part};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    layout::plan(options, machine, Part::Filesystems)
}
