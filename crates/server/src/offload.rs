//! Long statements leave the network threads to the other connections.

use engine::Offload;

/// Runs work on the current thread after handing this thread's other connections to another one.
pub(crate) struct BlockInPlace;

impl Offload for BlockInPlace {
    fn run(&self, work: &mut dyn FnMut()) {
        tokio::task::block_in_place(work);
    }
}
