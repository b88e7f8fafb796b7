//! Comparisons and measurements, and the scripts that show on a real Engine what is promised.

pub mod show;
