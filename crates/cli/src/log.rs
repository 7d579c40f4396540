//! The log: lines on standard error, as text or as JSON objects. Level and form change while the server runs.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter,
    fmt::{
        FmtContext, FormatEvent, FormatFields,
        format::{Format, Full, Json, Writer},
    },
    registry::LookupSpan,
};

use crate::configuration::Configuration;

/// The log of this process.
pub(crate) struct Log {
    is_json: Arc<AtomicBool>,
    set_level: Box<dyn Fn(&str) + Send + Sync>,
}

impl Log {
    /// Begins to log. Called once in a process.
    pub(crate) fn start(configuration: &Configuration) -> Log {
        let is_json = Arc::new(AtomicBool::new(false));
        let form = Form {
            is_json: is_json.clone(),
            text: tracing_subscriber::fmt::format(),
            json: tracing_subscriber::fmt::format().json().flatten_event(true),
        };
        let builder = tracing_subscriber::fmt()
            .with_writer(std::io::stderr)
            .with_ansi(false)
            .event_format(form)
            .with_env_filter(EnvFilter::new(configuration.text("logging.level")))
            .with_filter_reloading();
        let filter = builder.reload_handle();
        builder.init();
        let set_level = Box::new(move |level: &str| {
            // Fails only when the subscriber has gone, and it lives as long as the process.
            let _ = filter.reload(EnvFilter::new(level));
        });
        let log = Log { is_json, set_level };
        log.follow(configuration);
        log
    }

    /// Logs as the configuration says from now on.
    pub(crate) fn follow(&self, configuration: &Configuration) {
        self.is_json.store(configuration.text("logging.format") == "json", Ordering::Relaxed);
        (self.set_level)(configuration.text("logging.level"));
    }
}

/// How a line looks now.
struct Form {
    is_json: Arc<AtomicBool>,
    text: Format<Full>,
    json: Format<Json>,
}

impl<S, N> FormatEvent<S, N> for Form
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, writer: Writer<'_>, event: &Event<'_>) -> std::fmt::Result {
        match self.is_json.load(Ordering::Relaxed) {
            true => self.json.format_event(context, writer, event),
            false => self.text.format_event(context, writer, event),
        }
    }
}
