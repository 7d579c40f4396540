//! Faults put into the store are found, by the reading as lists and by that as registers alone:
//! `cargo test -p heliosdb-txn --features planted-faults --test simulation planted`.

use heliosdb_txn::PlantedFault;

use crate::{
    histories::{Found, MIXES, Simulation},
    history::{Anomaly, Promise},
};

/// What a check finds first in stores with this fault, of the histories with a mix of levels.
fn found(fault: PlantedFault, mix: usize, check: impl Fn(&Simulation, Promise) -> Option<Found>) -> Found {
    let (levels, promise) = MIXES[mix];
    let found = (0..500).find_map(|seed| {
        let mut simulation = Simulation::new(seed, levels);
        simulation.store.plant(fault);
        simulation.play();
        check(&simulation, promise)
    });
    found.unwrap_or_else(|| panic!("{fault:?} goes unnoticed"))
}

#[test]
fn planted_certification_that_is_skipped_is_found() {
    let fault = PlantedFault::SkippedCertification;
    assert_eq!(found(fault, 2, Simulation::check_lists), Found::Lists(Anomaly::AntiDependencyCycle));
    assert_eq!(found(fault, 2, Simulation::check_registers), Found::Registers(Anomaly::AntiDependencyCycle));
}

#[test]
fn planted_statement_that_goes_on_with_stale_rows_is_found() {
    // Registers say nothing of a version that nobody has read.
    assert!(matches!(found(PlantedFault::StaleRefresh, 0, Simulation::check_lists), Found::Lists(_)));
}

#[test]
fn planted_loss_of_own_changes_is_found() {
    assert!(matches!(found(PlantedFault::LostReapplication, 0, Simulation::check_lists), Found::Lists(_)));
    assert!(matches!(found(PlantedFault::LostReapplication, 0, Simulation::check_registers), Found::Registers(_)));
}

#[test]
fn planted_lock_leak_is_found() {
    for mix in 0..MIXES.len() {
        let leaked = |simulation: &Simulation, _| (!simulation.store.list_locks().is_empty()).then_some(Found::LeakedLock);
        assert_eq!(found(PlantedFault::LockLeak, mix, leaked), Found::LeakedLock);
    }
}
