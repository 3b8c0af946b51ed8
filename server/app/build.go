package app

import (
	"runtime"
	"runtime/debug"
)

// Build says what was built. Empty fields are filled by WithDefaults.
type Build struct {
	Version  string // of the release, "dev" for none
	Revision string // of git
	Branch   string // of git
	Go       string // version of Go
}

// unknown stands for what nobody told.
const unknown = "unknown"

// WithDefaults returns b with empty fields filled from what the Go tool put
// into the binary.
func (b Build) WithDefaults() Build {
	info, ok := debug.ReadBuildInfo()
	if ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && b.Revision == "" {
				b.Revision = s.Value
			}
		}
		if v := info.Main.Version; b.Version == "" && v != "(devel)" {
			b.Version = v
		}
	}
	if b.Version == "" {
		b.Version = "dev"
	}
	if b.Revision == "" {
		b.Revision = unknown
	}
	if b.Branch == "" {
		b.Branch = unknown
	}
	b.Go = runtime.Version()
	return b
}
