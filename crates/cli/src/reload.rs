//! Reading the configuration again: at SIGHUP, and when an administrator calls `pg_reload_conf()`.
//!
//! All of the new configuration comes into force, or none of it: what cannot be read, contradicts itself or names files that cannot be used
//! is logged in one line and changes nothing. What a running server cannot change stays as it is, and is logged by its key's name.

use std::{path::PathBuf, sync::Arc};

use engine::{Cluster, SessionLimits};
use server::Audit;
use tokio::{signal::unix::Signal, sync::Notify, task::JoinHandle};

use crate::{
    access,
    configuration::{Configuration, FlagValue, find_file},
    failure::Failure,
    log::Log,
};

/// The configuration of a running server, and what follows it.
pub(crate) struct InForce {
    pub configuration: Configuration,
    /// The file that was found at the start; without one it is searched for again.
    pub file: Option<PathBuf>,
    pub flags: Vec<FlagValue>,
    pub cluster: Arc<Cluster>,
    pub access: server::Access,
    pub log: Log,
    /// The port it has, which may have been the system's choice.
    pub port: u16,
    pub audit: Option<Audit>,
    pub dumps: Option<JoinHandle<()>>,
}

impl InForce {
    /// Waits for the wish to reload, and reloads, as long as the server runs.
    pub(crate) async fn follow(mut self, mut hang_up: Signal, asked: Arc<Notify>) {
        loop {
            tokio::select! {
                _ = hang_up.recv() => {}
                () = asked.notified() => {}
            }
            // Files are read, and a certificate is checked: not on a network thread.
            match tokio::task::spawn_blocking(move || {
                self.reload();
                self
            })
            .await
            {
                Ok(kept) => self = kept,
                Err(error) => {
                    tracing::error!(%error, "the configuration can not be reloaded any more");
                    return;
                }
            }
        }
    }

    fn reload(&mut self) {
        match self.read() {
            Ok(()) => tracing::info!("the configuration was reloaded"),
            Err(failure) => tracing::error!("the configuration was not reloaded, the one before stays: {}", failure.message()),
        }
    }

    fn read(&mut self) -> Result<(), Failure> {
        let file = self.file.clone().or_else(|| find_file(None));
        let mut configuration = Configuration::resolve(file.as_deref(), self.flags.clone())?;
        let access = access::options(&configuration)?;
        let audit = match (&self.audit, configuration.audit()) {
            (Some(audit), Some(options)) => Some(audit.under(&options)?),
            (None, Some(options)) => Some(Audit::start(&options)?),
            (_, None) => None,
        };
        for name in configuration.keep_fixed(&self.configuration) {
            tracing::warn!("{name} has changed, and takes effect when the server is started again");
        }
        // The last thing that may fail, before anything is in force.
        self.cluster.set_limits(limits(&configuration, self.port))?;
        self.log.follow(&configuration);
        access::follow_users(&self.cluster, &self.configuration, &configuration);
        self.access.replace(access);
        self.access.record_in(audit.clone());
        self.audit = audit;
        self.configuration = configuration;
        self.schedule_dumps();
        Ok(())
    }

    /// Makes dumps at the times of the schedule, instead of those of the one before.
    pub(crate) fn schedule_dumps(&mut self) {
        if let Some(dumps) = self.dumps.take() {
            dumps.abort();
        }
        self.dumps = self.configuration.dump_schedule().map(|schedule| tokio::spawn(schedule.run(self.cluster.clone())));
    }
}

/// What sessions are granted, and told of the server.
pub(crate) fn limits(configuration: &Configuration, port: u16) -> SessionLimits {
    let mut limits = configuration.limits();
    limits.shown.iter_mut().filter(|(name, _)| *name == "port").for_each(|(_, value)| *value = port.to_string());
    limits
}
