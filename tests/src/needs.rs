//! Programs that some tests compare with, and that a machine may lack.

use std::env;
use std::path::Path;

/// Whether a program is there; a test that needs it returns early if it is not.
///
/// A skipped test says so in its output: `skipped: needs X`. Where `CI` is set nothing is skipped:
/// there, a comparison that silently stopped running would be worse than a failure.
///
/// ```
/// if irmin_tests::needs("cargo") {
///     // Compare with it.
/// }
/// ```
///
/// # Panics
/// If the program is missing and the environment variable `CI` is set.
#[must_use]
pub fn needs(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let found = env::split_paths(&path).any(|dir| is_program(&dir.join(program)));
    if !found {
        assert!(env::var_os("CI").is_none(), "CI runs every test, and this one needs {program}");
        println!("skipped: needs {program}");
    }
    found
}

fn is_program(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
    }
    #[cfg(not(unix))]
    {
        path.is_file() || path.with_extension("exe").is_file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_found() {
        assert!(needs("cargo"));
        assert!(!is_program(Path::new(env!("CARGO_MANIFEST_DIR"))));
        assert!(!is_program(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))));
    }

    #[test]
    fn what_is_missing_is_skipped_or_fails_under_ci() {
        let answer = std::panic::catch_unwind(|| needs("irmin-no-such-program"));
        assert_eq!(answer.ok(), if env::var_os("CI").is_some() { None } else { Some(false) });
    }
}
