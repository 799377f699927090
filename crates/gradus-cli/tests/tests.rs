//! The program as a user meets it: whole outputs, exit codes, what is damaged and what is not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod basics;
mod difficulty;
mod folders;
mod loopback;
mod models;
mod ratings;
mod respondents;
mod responses;
mod rows;
mod runs;
mod sample;
mod search;
mod tool;
mod verify;
