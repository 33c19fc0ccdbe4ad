//! Section `crypt`: LUKS containers. The password goes through standard input alone.
//!
//! No key is left on the disk: the agent opens the container at every boot, with the env.

use bootwright_seed::yaml::tree::Node;

use super::{Layout, State, is_word};
use crate::tasks::env;
use crate::tasks::machine::TaskError;
use crate::tasks::program::Call;

/// Deriving a key takes a while on a slow machine.
const SECONDS: u64 = 300;

/// Plans all containers of the section.
pub fn plan(layout: &mut Layout<'_>, tree: &Node) -> Result<(), TaskError> {
    for (device, node) in env::entries(tree, "crypt")? {
        one(layout, device, node)?;
    }
    Ok(())
}

fn one(layout: &mut Layout<'_>, device: &str, node: &Node) -> Result<(), TaskError> {
    env::only(node, layout.key, &["password", "target", "wipe"])?;
    let target = env::text(node, "target")?.filter(|target| is_word(target));
    let target = target.ok_or_else(|| layout.refuse(node, "`target` has to be a name".into()))?;
    let password = env::exact(node, "password")?.filter(|password| !password.is_empty());
    let password = password.ok_or_else(|| layout.refuse(node, "`password` is missing".into()))?;
    let mapped = format!("/dev/mapper/{target}");
    if layout.machine.exists(&mapped) {
        return Ok(());
    }
    let wipe = env::flag(node, "wipe", false)?;
    let state = layout.claim(node, device, &["crypto_LUKS"], wipe)?;
    if state == State::Empty {
        let words = ["luksFormat", "--batch-mode", "--key-file=-", device];
        layout.plan.run(Call::new("cryptsetup", words).input(password).limit(SECONDS));
        // Only a container that is made now is surely empty.
        layout.made.insert(mapped);
    }
    let words = ["open", "--type", "luks", "--key-file=-", device, target];
    layout.plan.run(Call::new("cryptsetup", words).input(password).limit(SECONDS));
    if state == State::Done {
        layout.opened.insert(format!("/dev/mapper/{target}"));
    }
    Ok(())
}
