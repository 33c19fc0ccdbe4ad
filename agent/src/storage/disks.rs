//! `storage_disks`: the disks of the storage plan, up to what is encrypted.

use super::Options;
use super::layout::{self, Part};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    layout::plan(options, machine, Part::Disks)
}
