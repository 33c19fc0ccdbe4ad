//! Applies edits to the layer, and grows the root where they do not fit otherwise.

use std::sync::Arc;

use anyhow::{Context, Result};
use bootwright_disk::view::WriteView;
use bootwright_rootfs::{Edit, Error, Tree, grow_root};

use crate::interrupt;
use crate::plan::{Inputs, Plan};
use crate::progress::Progress;

/// The image under edit.
pub struct Editor {
    /// Its files.
    pub tree: Tree,
    disk: Arc<dyn WriteView>,
    now: i64,
    progress: Progress,
    may_grow: bool,
}

impl Editor {
    /// Opens the image, its root grown first if the plan says so.
    ///
    /// # Errors
    /// An image that cannot be read or grown.
    pub fn open(plan: &Plan, inputs: &Inputs, progress: Progress) -> Result<Self> {
        let now = plan.timestamp;
        let disk: Arc<dyn WriteView> = Arc::clone(&inputs.disk) as Arc<dyn WriteView>;
        if plan.disk.grow {
            grow_root(&disk, now).context("growing the root")?;
        }
        let tree = Tree::open(&disk, now)?;
        Ok(Self { tree, disk, now, progress, may_grow: !plan.disk.grow })
    }

    /// Makes edits. Where they do not fit, the root grows into the room behind it, if there
    /// is any, and they are made then.
    ///
    /// # Errors
    /// Edits that the image cannot take.
    pub fn apply(&mut self, edits: Vec<Edit>) -> Result<()> {
        anyhow::ensure!(!interrupt::is_set(), "interrupted");
        match self.tree.apply(&edits) {
            Err(error @ Error::NoSpace { .. }) if self.may_grow => {
                if !self.grow()? {
                    return Err(error.into());
                }
                Ok(self.tree.apply(&edits)?)
            }
            outcome => Ok(outcome?),
        }
    }

    /// Grows the root, closed meanwhile. Gives whether there was room.
    fn grow(&mut self) -> Result<bool> {
        self.may_grow = false;
        let disk = Arc::clone(&self.disk);
        // What was edited so far has to be on the disk; nothing was of what did not fit.
        self.tree.flush()?;
        let growth = match grow_root(&disk, self.now) {
            // Then the room is what it is, and that it does not do is the thing to say.
            Err(Error::Unsupported { .. }) => None,
            growth => growth.context("growing the root, for the edits do not fit")?,
        };
        self.tree = Tree::open(&disk, self.now)?;
        let Some(growth) = growth else {
            return Ok(false);
        };
        let mib = |bytes: u64| bytes >> 20;
        self.progress.note(&format!(
            "the root grows from {} to {} MiB, for the edits do not fit otherwise",
            mib(growth.before),
            mib(growth.after)
        ));
        Ok(true)
    }
}
