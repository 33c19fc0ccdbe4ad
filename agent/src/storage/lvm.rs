//! `storage_lvm`: the volume groups and logical volumes of the storage plan.

use super::Options;
use super::layout::{self, Part};
use crate::tasks::machine::{Machine, TaskError};
use crate::tasks::plan::Plan;

/// The changes.
pub fn plan(options: &Options, machine: &Machine<'_>) -> Result<Plan, TaskError> {
    layout::plan(options, machine, Part::Lvm)
}
