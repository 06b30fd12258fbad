//go:build !unix

package cli

import "os"

// columns knows no terminal here: COLUMNS may say how wide it is.
func columns(*os.File) int { return 0 }
