//! Style that matters is a test: crates, layers, sizes, and what the library may not touch.
//!
//! Each rule reads the project as text and answers with places and remedies. The rules themselves
//! are tested on made-up projects, since a rule that cannot fail guards nothing.

pub(crate) mod project;
mod rules;
mod self_test;
mod source;
mod structure;

use std::fmt::Write as _;

use project::{Problem, Project};

/// Fails with every breach, one a line.
fn check(rule: fn(&Project) -> Vec<Problem>) {
    let problems = rule(&Project::on_disk());
    let list = problems.iter().fold(String::new(), |mut list, problem| {
        let _ = writeln!(list, "{problem}");
        list
    });
    assert!(problems.is_empty(), "{} breaches:\n{list}", problems.len());
}

#[test]
fn crates_depend_downwards() {
    check(structure::crate_edges);
}

#[test]
fn layers_of_the_core_point_down() {
    check(structure::layers);
}

#[test]
fn every_file_belongs_to_a_crate() {
    check(structure::orphans);
}

#[test]
fn every_example_is_in_the_readme() {
    check(structure::examples);
}

#[test]
fn the_program_of_the_readme_is_compiled() {
    check(structure::first_program);
}

#[test]
fn files_and_functions_are_short() {
    check(rules::lengths);
}

#[test]
fn time_chance_and_files_are_parameters() {
    check(rules::parameters);
}

#[test]
fn allow_lists_are_current() {
    check(rules::allow_lists);
}

#[test]
fn nothing_is_left_unfinished() {
    check(rules::finished);
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    check(rules::machine_paths);
}
