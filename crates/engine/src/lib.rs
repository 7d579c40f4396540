//! engine
pub mod system_catalog;
