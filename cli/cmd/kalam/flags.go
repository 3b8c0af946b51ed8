package main

import (
	"cmp"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/shell"
	"github.com/kalamdb/kalamdb-go/commons/system"
)

// flags are what the command line says, filled up from the settings.
type flags struct {
	user, url, as       string
	token, passwordFile string
	command, file       string
	format              string
	timing              bool
}

// addLogin adds the flags that say which server and who.
func (f *flags) addLogin(cmd *cobra.Command) {
	set := cmd.Flags()
	set.StringVarP(&f.user, "user", "u", "", "user to log in as (default "+system.RootUser+")")
	set.StringVar(&f.url, "url", "", "address of the server (default "+client.DefaultURL+")")
	set.StringVar(&f.token, "token", "", "access token to use instead of a login")
	set.StringVar(&f.passwordFile, "password-file", "", "file with the password")
}

func (f *flags) add(cmd *cobra.Command) {
	f.addLogin(cmd)
	set := cmd.Flags()
	set.StringVar(&f.as, "as", "", "user to act for, if your role allows it")
	set.StringVarP(&f.command, "command", "c", "", "run these statements and leave")
	set.StringVarP(&f.file, "file", "f", "", "run the statements of a file and leave")
	set.StringVar(&f.format, "format", "", "table, json, ndjson or csv (default table)")
	set.BoolVar(&f.timing, "timing", false, "show how long statements take")
}

// settle fills what was not given from the settings, and the defaults.
func (f *flags) settle(h *home) error {
	s, err := h.settings()
	if err != nil {
		return fmt.Errorf("read %s: %w", h.path(settingsFile), err)
	}
	f.user = cmp.Or(f.user, s.User, system.RootUser)
	f.url = cmp.Or(f.url, s.URL, client.DefaultURL)
	f.format = cmp.Or(f.format, s.Format, string(shell.Table))
	f.timing = f.timing || s.Timing
	return nil
}
