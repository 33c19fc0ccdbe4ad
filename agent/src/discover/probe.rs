//! Looks into many devices at once, so that a slow one costs no more than itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bootwright_seed::medium::ReadError;
use bootwright_seed::medium::read::identify;

use super::{Outcome, devices, is_absence, open};
use crate::boot::chain;
use crate::root::Root;

/// Most devices looked into at a time.
const THREADS: usize = 8;
/// Stack of a thread. The readers keep their buffers on the heap.
const STACK: usize = 256 * 1024;
/// How long a device may take. A drive whose error handling runs for minutes holds up
/// itself alone; its thread ends when the kernel gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What each of the named devices holds.
pub fn probe(root: &Root, names: Vec<String>) -> BTreeMap<String, Outcome> {
    gather(names, PATIENCE, {
        let root = root.clone();
        move |name| look_into(&root, name)
    })
}

fn gather(
    names: Vec<String>,
    patience: Duration,
    look: impl Fn(&str) -> Outcome + Clone + Send + 'static,
) -> BTreeMap<String, Outcome> {
    let slow = || Outcome::Unreadable(format!("no answer within {} s", patience.as_secs()));
    let mut outcomes: BTreeMap<_, _> = names.iter().map(|name| (name.clone(), slow())).collect();
    let threads = names.len().min(THREADS);
    let queue = Arc::new(Mutex::new(names));
    let (sender, receiver) = mpsc::channel();
    for _ in 0..threads {
        let (queue, sender, look) = (Arc::clone(&queue), sender.clone(), look.clone());
        let work = move || {
            // A poisoned lock means a thread that panicked; the queue itself is sound.
            let next = || queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
            while let Some(name) = next() {
                let outcome = look(&name);
                if sender.send((name, outcome)).is_err() {
                    return;
                }
            }
        };
        // Without a thread its share is left to the others, or named as not answered.
        let _ = thread::Builder::new().stack_size(STACK).spawn(work);
    }
    drop(sender);
    let deadline = Instant::now() + patience;
    while let Ok((name, outcome)) =
        receiver.recv_timeout(deadline.saturating_duration_since(Instant::now()))
    {
        outcomes.insert(name, outcome);
    }
    outcomes
}

fn look_into(root: &Root, name: &str) -> Outcome {
    let result = open(root, &devices::node(name)).map_err(ReadError::Device).and_then(identify);
    match result {
        Ok(Some(identity)) => Outcome::Volume(identity),
        Ok(None) => Outcome::Nothing,
        Err(ReadError::Device(error)) if is_absence(name, &error) => Outcome::Absent,
        Err(error) => Outcome::Unreadable(chain(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_hangs_holds_up_no_other() {
        let names = ["hang0", "vda", "hang1", "vdb"].map(str::to_owned).to_vec();
        let outcomes = gather(names, Duration::from_millis(300), |name| {
            if name.starts_with("hang") {
                thread::sleep(Duration::from_secs(3));
            }
            Outcome::Nothing
        });
        assert_eq!(outcomes.len(), 4);
        assert!(matches!(outcomes["vda"], Outcome::Nothing));
        assert!(matches!(outcomes["vdb"], Outcome::Nothing));
        assert!(
            matches!(&outcomes["hang0"], Outcome::Unreadable(why) if why.contains("no answer"))
        );
    }
}
