package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Build makes programs of packages of the repository at root, each into dir under the last
// word of its path.
func Build(ctx context.Context, root, dir string, packages ...string) error {
	for _, path := range packages {
		if err := BuildTagged(ctx, root, filepath.Join(dir, filepath.Base(path)), "", path); err != nil {
			return err
		}
	}
	return nil
}

// BuildTagged makes one program into a file, with the parts that a tag adds ("" = none).
func BuildTagged(ctx context.Context, root, file, tag, path string) error {
	c := exec.CommandContext(ctx, "go", "build", "-trimpath", "-buildvcs=false", "-tags", tag, "-o", file, "./"+path)
	c.Dir, c.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := c.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", path, err, out)
	}
	return nil
}
