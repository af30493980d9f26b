// Istio's agent as a judge: fetches a module by the agent's own cache (istio.io/istio/pkg/wasm), as a proxy would, and
// prints what became of it.
//
//	wasm-judge [-secret FILE] [-digest HEX] [-insecure HOST] oci://host/repository:tag
//
// One line of JSON on stdout: {"digest": …, "sha256": …, "bytes": …} of what Envoy would be given, or {"error": …} as the
// agent would log it. Both are answers, so both exit with 0.
package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"istio.io/istio/pkg/util/sets"
	"istio.io/istio/pkg/wasm"
)

// What istiod sets for every plugin.
const timeout = 30 * time.Second

type verdict struct {
	// Of the manifest: what the agent compares with `spec.sha256`.
	Digest string `json:"digest,omitempty"`
	// Of the module.
	Sha256 string `json:"sha256,omitempty"`
	Bytes  int    `json:"bytes,omitempty"`
	Error  string `json:"error,omitempty"`
}

func main() {
	secret := flag.String("secret", "", "the `file` with the pull secret's .dockerconfigjson; without one, the agent's own keychain")
	digest := flag.String("digest", "", "the plugin's spec.sha256, 64 hex digits")
	insecure := flag.String("insecure", "", "a `host` of WASM_INSECURE_REGISTRIES, or *")
	flag.Parse()
	if flag.NArg() != 1 {
		fail(fmt.Errorf("found %d arguments, expected one reference", flag.NArg()))
	}
	found, err := judge(flag.Arg(0), *secret, *digest, *insecure)
	if err != nil {
		fail(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		fail(err)
	}
}

func judge(reference, secret, digest, insecure string) (verdict, error) {
	options := wasm.GetOptions{
		Checksum:       digest,
		ResourceName:   "judged",
		RequestTimeout: timeout,
	}
	if secret != "" {
		content, err := os.ReadFile(secret)
		if err != nil {
			return verdict{}, err
		}
		options.PullSecret = content
	}
	folder, err := os.MkdirTemp("", "wasm-judge")
	if err != nil {
		return verdict{}, err
	}
	defer os.RemoveAll(folder)

	cache := wasm.NewLocalFileCache(folder, wasm.Options{
		PurgeInterval:      wasm.DefaultPurgeInterval,
		ModuleExpiry:       wasm.DefaultModuleExpiry,
		InsecureRegistries: sets.New(insecure),
	})
	defer cache.Cleanup()
	path, err := cache.Get(reference, options)
	if err != nil {
		return verdict{Error: strings.ReplaceAll(err.Error(), "\n", " ")}, nil
	}
	module, err := os.ReadFile(path)
	if err != nil {
		return verdict{}, err
	}
	sum := sha256.Sum256(module)
	// The cache names a file after its digest.
	return verdict{
		Digest: strings.TrimSuffix(filepath.Base(path), ".wasm"),
		Sha256: hex.EncodeToString(sum[:]),
		Bytes:  len(module),
	}, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "wasm-judge:", err)
	os.Exit(1)
}
