//! Replays of what OCaml Irmin 3.11 did: ours must do the same, or differ in a class of
//! [`classes`], which the models of [`irmin_tests::replay`] tell apart.

mod behaviours;
mod classes;
mod histories;
mod merge_tree;
mod ops;
mod reads;
mod scenarios;
mod world;
