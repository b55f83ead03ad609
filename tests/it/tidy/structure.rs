//! The rules of structure: crates, layers, and files that belong to something.

use std::collections::{BTreeMap, BTreeSet};

use super::project::{Problem, Project};
use super::source::Source;

/// What each package of ours may depend on; `*` is all of them.
const EDGES: &[(&str, &[&str])] = &[
    // A macro is a program of the compiler's: the core hands it on, and its tests need the core.
    ("irmin-core", &["irmin-derive"]),
    ("irmin-derive", &["irmin-core"]),
    ("irmin-git", &["irmin-core"]),
    ("irmin-cli", &["*"]),
    ("irmin-tests", &["*"]),
    ("irmin-benches", &["*"]),
    ("irmin-benches-compare", &["*"]),
    ("irmin-fuzz", &["*"]),
    ("irmin-no-std-check", &["irmin-core"]),
    ("irmin-unikernel", &["irmin-core"]),
];

/// The modules of irmin-core, lowest layer first: each may use its own layer and those before.
const LAYERS: &[(&str, &[&str])] = &[
    (
        "L0",
        &[
            "error", "hash", "id", "info", "limits", "lock", "name", "numbers", "panics", "path",
            "segments", "sort", "io",
        ],
    ),
    ("L1", &["object"]),
    ("L2", &["contents", "merge"]),
    // `pass_on` is a macro of `backend`: those that are exported are at the root.
    ("L3", &["backend", "pass_on"]),
    ("L4", &["tree"]),
    ("L5", &["graph", "history"]),
    ("L6", &["repo", "slice", "dot"]),
    ("L7", &["containers", "json_tree", "kv"]),
];

const CORE: &str = "irmin-core/src/";

/// The crates depend on one another only as the drawing says.
pub(super) fn crate_edges(project: &Project) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (dir, manifest) in project.packages() {
        let path = format!("{dir}/Cargo.toml");
        let name = manifest["package"].get("name").and_then(|n| n.as_str()).unwrap_or_default();
        let Some((_, allowed)) = EDGES.iter().find(|(n, _)| *n == name) else {
            let what = format!("package {name} has no place: give it one in EDGES of tidy");
            problems.push(Problem { path, line: 1, what });
            continue;
        };
        for dependency in dependencies(&manifest) {
            let ours = EDGES.iter().any(|(n, _)| *n == dependency);
            if ours && !allowed.contains(&"*") && !allowed.contains(&dependency.as_str()) {
                let text = project.text(&path).unwrap_or_default();
                let at = text.lines().position(|l| l.trim_start().starts_with(&dependency));
                let what = format!(
                    "{name} may not depend on {dependency}: arrows point down, siblings never see \
                     each other"
                );
                problems.push(Problem { path: path.clone(), line: at.unwrap_or(0) + 1, what });
            }
        }
    }
    problems
}

/// The dependencies of a manifest, of every kind and target, by the name of the package.
fn dependencies(manifest: &toml::Table) -> BTreeSet<String> {
    let kinds = ["dependencies", "dev-dependencies", "build-dependencies"];
    let mut tables: Vec<&toml::Table> = vec![manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(|t| t.as_table()));
    }
    let found = tables.iter().flat_map(|t| kinds.iter().filter_map(|k| t.get(*k)?.as_table()));
    found
        .flatten()
        .map(|(key, value)| {
            let renamed = value.get("package").and_then(|p| p.as_str());
            renamed.unwrap_or(key).to_owned()
        })
        .collect()
}

/// A module of irmin-core uses only its own layer and those below.
pub(super) fn layers(project: &Project) -> Vec<Problem> {
    let Some(lib) = project.source(&format!("{CORE}lib.rs")) else { return Vec::new() };
    let exports = exports(lib);
    let mut problems = Vec::new();
    for (path, source) in project.sources() {
        let Some(inside) = path.strip_prefix(CORE).filter(|p| *p != "lib.rs") else { continue };
        let top = inside.split(['/', '.']).next().unwrap_or_default();
        let mut say = |offset, what| {
            problems.push(Problem { path: path.to_owned(), line: source.line(offset), what });
        };
        let Some(own) = layer(top) else {
            say(0, format!("module {top} has no layer: give it one in LAYERS of tidy"));
            continue;
        };
        for found in source.paths() {
            let Some(name) = from_the_root(inside, source, found.offset, &found.steps) else {
                continue;
            };
            let used = exports.get(name).map_or(name, String::as_str);
            match layer(used) {
                Some(other) if other <= own => {}
                Some(other) => say(
                    found.offset,
                    format!(
                        "{top} ({}) uses {used} ({}): arrows point down; move what is shared to \
                         the lower layer",
                        LAYERS[own].0, LAYERS[other].0
                    ),
                ),
                None => say(
                    found.offset,
                    format!("`crate::{name}` has no layer: name the module that it is from"),
                ),
            }
        }
    }
    problems
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|(_, modules)| modules.contains(&module))
}

/// The module that each name of lib.rs is re-exported from.
fn exports(lib: &Source) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for found in lib.paths() {
        let steps: Vec<&str> = found.steps.iter().map(String::as_str).collect();
        match steps.as_slice() {
            ["crate" | "self", module, .., name] | [module, .., name]
                if layer(module).is_some() =>
            {
                exports.insert((*name).to_owned(), (*module).to_owned());
            }
            // Re-exports of other crates are everyone's.
            [_, .., name] => {
                exports.insert((*name).to_owned(), "error".to_owned());
            }
            _ => {}
        }
    }
    exports
}

/// The name right below the root of the crate that a path names, if it goes through the root.
fn from_the_root<'a>(
    file: &str,
    source: &Source,
    offset: usize,
    steps: &'a [String],
) -> Option<&'a str> {
    if steps[0] == "crate" {
        return steps.get(1).map(String::as_str);
    }
    let supers = steps.iter().take_while(|s| *s == "super").count();
    let stem = file.trim_end_matches(".rs").trim_end_matches("/mod");
    let inline = source
        .modules()
        .iter()
        .filter_map(|m| m.body)
        .filter(|(s, e)| (*s..*e).contains(&offset))
        .count();
    let depth = stem.split('/').count() + inline;
    (supers > 0 && supers == depth).then(|| steps.get(supers).map(String::as_str)).flatten()
}

/// Every Rust file is part of a crate.
pub(super) fn orphans(project: &Project) -> Vec<Problem> {
    let mut reached = BTreeSet::new();
    let mut todo: Vec<(String, bool)> = project
        .packages()
        .iter()
        .flat_map(|(d, m)| roots(project, d, m))
        .map(|r| (r, true))
        .collect();
    while let Some((file, is_root)) = todo.pop() {
        if let Some(source) = project.source(&file)
            && reached.insert(file.clone())
        {
            todo.extend(children(project, &file, source, is_root).map(|child| (child, false)));
        }
    }
    let orphan = |path: &str| Problem {
        path: path.to_owned(),
        line: 1,
        what: "no crate has this file: declare it with `mod`, or remove it".to_owned(),
    };
    // What is there to be refused by the compiler is named by a pattern.
    let refused = |path: &str| path.starts_with("irmin-derive/tests/ui/");
    let orphans = project.sources().map(|(path, _)| path);
    orphans.filter(|p| !reached.contains(*p) && !refused(p)).map(orphan).collect()
}

/// The files that the targets of a package begin with.
fn roots(project: &Project, dir: &str, manifest: &toml::Table) -> Vec<String> {
    let below = |p: &str| if dir.is_empty() { p.to_owned() } else { format!("{dir}/{p}") };
    let mut roots: Vec<String> = ["src/lib.rs", "src/main.rs", "build.rs"].map(below).to_vec();
    for kind in ["bin", "test", "bench", "example"] {
        let targets = manifest.get(kind).and_then(toml::Value::as_array).into_iter().flatten();
        roots.extend(targets.filter_map(|t| t.get("path")?.as_str()).map(below));
    }
    let automatic =
        |key: &str| manifest["package"].get(key).and_then(toml::Value::as_bool) != Some(false);
    let found = [
        ("src/bin", "autobins"),
        ("tests", "autotests"),
        ("benches", "autobenches"),
        ("examples", "autoexamples"),
    ];
    for (sub, _) in found.iter().filter(|(_, key)| automatic(key)) {
        let prefix = below(&format!("{sub}/"));
        let targets = project.sources().map(|(path, _)| path).filter(|path| {
            let rest = path.strip_prefix(&prefix);
            rest.is_some_and(|r| {
                !r.contains('/') || r.split_once('/').is_some_and(|(_, f)| f == "main.rs")
            })
        });
        roots.extend(targets.map(str::to_owned));
    }
    roots
}

/// The files of the modules that a file declares.
fn children(
    project: &Project,
    file: &str,
    source: &Source,
    is_root: bool,
) -> impl Iterator<Item = String> {
    let (dir, name) = file.rsplit_once('/').unwrap_or(("", file));
    let own = if is_root || name == "mod.rs" {
        dir.to_owned()
    } else {
        format!("{dir}/{}", name.trim_end_matches(".rs"))
    };
    let modules = source.modules();
    let mut found = Vec::new();
    for module in modules.iter().filter(|m| m.body.is_none()) {
        let outer = modules
            .iter()
            .filter(|m| m.body.is_some_and(|(start, end)| (start..end).contains(&module.offset)));
        let inside = outer.fold(own.clone(), |at, m| format!("{at}/{}", m.name));
        let attributes = source.attributes(module.offset);
        let raw = source.raw(module.offset - attributes.len(), module.offset);
        let path = raw.split_once("#[path").and_then(|(_, rest)| rest.split('"').nth(1));
        match path {
            Some(path) => found.push(format!("{dir}/{path}")),
            None => found.extend(["", "/mod"].map(|m| format!("{inside}/{}{m}.rs", module.name))),
        }
    }
    found.into_iter().filter(|f| project.source(f).is_some()).collect::<Vec<_>>().into_iter()
}

/// Every example can be found from the front page.
pub(super) fn examples(project: &Project) -> Vec<Problem> {
    let readme = project.text("README.md").unwrap_or_default();
    let examples = project.sources().map(|(path, _)| path).filter(|p| p.contains("/examples/"));
    examples
        .filter(|path| !readme.contains(*path))
        .map(|path| Problem {
            path: path.to_owned(),
            line: 1,
            what: "README.md does not list this example: add it to the table there".to_owned(),
        })
        .collect()
}

/// The program of the front page is one that is compiled.
pub(super) fn first_program(project: &Project) -> Vec<Problem> {
    let example = project.text("irmin-git/examples/readme.rs").unwrap_or_default();
    // What the file says of itself, and the lints that an example need not heed.
    let preamble =
        |line: &&str| ["//", "#!["].iter().any(|p| line.starts_with(p)) || line.is_empty();
    let code = example.lines().skip_while(preamble);
    let code: String = code.flat_map(|line| [line, "\n"]).collect();
    let readme = project.text("README.md").unwrap_or_default();
    if !code.is_empty() && readme.contains(&format!("```rust\n{code}```\n")) {
        return Vec::new();
    }
    let line = readme.lines().position(|l| l == "```rust").unwrap_or(0) + 1;
    let what = "this is not irmin-git/examples/readme.rs: make the two equal".to_owned();
    vec![Problem { path: "README.md".to_owned(), line, what }]
}
