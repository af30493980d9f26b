//! Modules that do what the real one must not: they show that the tests notice.

use std::path::PathBuf;

use tempfile::TempDir;

/// A module on disk.
pub struct Module {
    folder: TempDir,
}

impl Module {
    /// With this code on every request; it leaves the action, and the number of headers is local 1.
    fn of(on_request: &str) -> Self {
        let text = format!(
            r#"(module
              (memory (export "memory") 2)
              (global $requests (mut i32) (i32.const 0))
              (func (export "proxy_abi_version_0_2_1"))
              ;; Whatever the host hands over may be overwritten: nothing is read.
              (func (export "malloc") (param i32) (result i32) (i32.const 1024))
              (func (export "proxy_on_request_headers") (param i32 i32 i32) (result i32) {on_request}))"#
        );
        let folder = tempfile::tempdir().unwrap();
        let module = Self { folder };
        std::fs::write(module.path(), wat::parse_str(text).unwrap()).unwrap();
        module
    }

    pub fn path(&self) -> PathBuf {
        self.folder.path().join("module.wasm")
    }
}

/// Traps on a request with more than 100 headers.
pub fn dies_of_many_headers() -> Module {
    Module::of("(if (i32.gt_u (local.get 1) (i32.const 100)) (then unreachable)) (i32.const 0)")
}

/// Takes 64 KiB more of linear memory with every hundredth request.
pub fn leaks() -> Module {
    Module::of(
        "(global.set $requests (i32.add (global.get $requests) (i32.const 1)))
         (if (i32.eqz (i32.rem_u (global.get $requests) (i32.const 100))) (then (drop (memory.grow (i32.const 1)))))
         (i32.const 0)",
    )
}
