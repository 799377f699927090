//! gradus answers one question: how far does easy supervision carry?
//!
//! This is the light library: rows, statistics, task families, grading,
//! selection, the run directory and reports. It holds no tensor and opens no
//! socket; models reach it through the four traits of [`lm`].
//!
//! Imports go one way:
//! `data, stats < run < lm, verify < tasks, search < difficulty, prompt < report`
//! (modules of the same rank do not import each other; a test forbids the rest).

#![forbid(unsafe_code)]

pub mod data;
pub mod difficulty;
pub mod lm;
pub mod prompt;
pub mod report;
pub mod run;
pub mod search;
pub mod stats;
pub mod tasks;
pub mod verify;
