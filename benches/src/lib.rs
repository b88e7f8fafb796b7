//! Comparisons and measurements.
