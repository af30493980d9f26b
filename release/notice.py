#!/usr/bin/env python3
"""Prints NOTICE: every crate that is linked into the plugin or the filter, its licence, and the text of its licence files."""

import argparse
import hashlib
import json
import pathlib
import subprocess
import sys


def linked(cargo: str, package: str, target: str) -> set[tuple[str, str]]:
    """Name and version of what a package of the workspace links, itself included."""
    tree = subprocess.run(
        [cargo, "tree", "--locked", "-p", package, "-e", "normal", "--target", target, "--prefix", "none", "--format", "{p}"],
        check=True, capture_output=True, text=True,
    ).stdout
    found = set()
    for line in tree.splitlines():
        words = line.split()
        if len(words) >= 2:
            found.add((words[0], words[1].removeprefix("v")))
    return found


def licence_files(folder: pathlib.Path) -> list[pathlib.Path]:
    """The files of a crate that say under which terms it comes."""
    names = ("licen", "copying", "notice", "copyright")
    return sorted(file for file in folder.iterdir() if file.is_file() and file.name.lower().startswith(names))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cargo", required=True)
    parser.add_argument("--target", required=True)
    parser.add_argument("--musl", required=True, type=pathlib.Path, help="musl's COPYRIGHT")
    options = parser.parse_args()

    wanted = linked(options.cargo, "kubectl-kyma-istio", options.target) | linked(options.cargo, "wasm-filter", "wasm32-unknown-unknown")
    metadata = json.loads(subprocess.run(
        [options.cargo, "metadata", "--locked", "--format-version", "1"], check=True, capture_output=True, text=True,
    ).stdout)
    crates = sorted(
        (package for package in metadata["packages"] if package["source"] and (package["name"], package["version"]) in wanted),
        key=lambda package: (package["name"], package["version"]),
    )
    if len(crates) < 100:
        sys.exit(f"found {len(crates)} crates that are linked, expected more than 100")

    texts: dict[str, str] = {}
    used_by: dict[str, list[str]] = {}
    print("kubectl kyma-istio: Apache-2.0, see LICENSE. It contains the following works of others; the texts of their licences stand below.\n")
    print("The Rust standard library: MIT OR Apache-2.0\nmusl libc: MIT\nLLVM libunwind and compiler-rt: Apache-2.0 WITH LLVM-exception")
    for package in crates:
        title = f"{package['name']} {package['version']}"
        print(f"{title}: {package['license'] or 'see the text'}")
        for file in licence_files(pathlib.Path(package["manifest_path"]).parent):
            text = file.read_text(encoding="utf-8", errors="replace").replace("\r\n", "\n").strip()
            key = hashlib.sha256(" ".join(text.split()).encode()).hexdigest()
            texts.setdefault(key, text)
            used_by.setdefault(key, [])
            if title not in used_by[key]:
                used_by[key].append(title)
    texts["musl"] = options.musl.read_text(encoding="utf-8").strip()
    used_by["musl"] = ["musl libc"]
    for key, text in texts.items():
        print(f"\n{'=' * 78}\n{', '.join(used_by[key])}\n{'-' * 78}\n{text}")


if __name__ == "__main__":
    main()
