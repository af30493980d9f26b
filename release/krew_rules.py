#!/usr/bin/env python3
"""krew's own rules for a manifest (its validate-krew-manifest), and that what the manifest names is in the archive: `krew_rules.py MANIFEST ARCHIVE`.

The manifest is read by the few forms that its template has, because Python has no YAML reader of its own.
"""

import hashlib
import pathlib
import re
import sys
import tarfile

manifest, archive = (pathlib.Path(name) for name in sys.argv[1:3])
text = manifest.read_text(encoding="utf-8")


def value(key: str) -> str:
    """The value of a key that stands once."""
    found = re.findall(rf"^ *(?:- )?{key}: (.+)$", text, re.MULTILINE)
    if len(found) != 1:
        sys.exit(f"{manifest.name}: found {len(found)} lines `{key}:`, expected one")
    return found[0].strip('"')


def rule(holds: object, what: str) -> None:
    """One rule."""
    if not holds:
        sys.exit(f"{manifest.name}: {what}")


rule("@" not in text, "a placeholder is left")
rule(value("apiVersion") == "krew.googlecontainertools.github.com/v1alpha2", "krew does not support this apiVersion")
rule(value("kind") == "Plugin", "kind must be Plugin")
rule(re.fullmatch(r"[\w-]+", value("name")), "the name has characters that krew forbids")
rule(manifest.name == f"{value('name')}.yaml", "the file must be named as the plugin")
# krew's semver.Parse wants the leading v.
rule(re.fullmatch(r"v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?", value("version")), "the version must be vMAJOR.MINOR.PATCH")
rule(len(value("shortDescription")) <= 50, "shortDescription has more than 50 characters")
rule(value("uri").startswith("https://") and value("uri").endswith(f"/{archive.name}"), "uri must be https and name the archive")
rule(value("sha256") == hashlib.sha256(archive.read_bytes()).hexdigest(), "sha256 is not the archive's")
rule((value("os"), value("arch")) == ("linux", "amd64"), "the selector must be linux and amd64")
# What `from` names must be there; the licence must be among what is installed; `bin` too.
with tarfile.open(archive) as opened:
    members = {member.name for member in opened.getmembers() if member.isfile()}
sources = re.findall(r'^ *- from: "?([^"\n]+)"?$', text, re.MULTILINE)
rule(len(sources) > 0 and text.count("to: .") == len(sources), "each `from` needs a `to`")
for source in sources:
    rule(source in members, f"the archive has no `{source}`")
installed = {source.rsplit("/", 1)[-1] for source in sources}
rule(value("bin") in installed, "bin is not among the files")
rule(installed & {"LICENSE", "LICENSE.txt", "LICENSE.md", "COPYING"}, "no licence is installed")
