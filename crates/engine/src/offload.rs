//! Where long work runs, so that it does not hold up a network thread.

/// Runs work that may take long. An embedding program needs none: the calling thread is its own.
pub trait Offload: Send + Sync {
    fn run(&self, work: &mut dyn FnMut());
}

/// Runs `work` on the offload when it is `long`, else at once.
pub(crate) fn run_offloaded<T>(offload: &dyn Offload, long: bool, work: impl FnOnce() -> T) -> T {
    if !long {
        return work();
    }
    let (mut work, mut result) = (Some(work), None);
    offload.run(&mut || {
        if let Some(work) = work.take() {
            result = Some(work());
        }
    });
    result.expect("an offload runs its work before it returns")
}

/// Runs work at once, where it is.
pub(crate) struct Here;

impl Offload for Here {
    fn run(&self, work: &mut dyn FnMut()) {
        work();
    }
}
