//! Where long work runs, so that it does not hold up a network thread.

/// Runs work that may take long. An embedding program needs none: the calling thread is its own.
pub trait Offload: Send + Sync {
    fn run(&self, work: &mut dyn FnMut());
}

/// Runs work at once, where it is.
pub(crate) struct Here;

impl Offload for Here {
    fn run(&self, work: &mut dyn FnMut()) {
        work();
    }
}
