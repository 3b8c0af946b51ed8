package main

import (
	"cmp"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/kalamdb/kalamdb-go/cli/client"
	"github.com/kalamdb/kalamdb-go/cli/shell"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/system"
)

// passwordVariable is the environment variable that may hold the password.
const passwordVariable = "KALAM_PASSWORD"

// rootPasswordFile is the name of the file in which a server leaves the
// password that it made for root. The server tells the folder.
const rootPasswordFile = "root_password"

// maxPassword bounds the file of a password, in bytes.
const maxPassword = 1024

// identity finds out how to log in as a user.
type identity struct {
	user            string
	token, password string // what was given, or ""
	home            *home
	terminal        bool // a password can be asked for
}

// connect returns a client that the server has let in. What the user gave
// must do; otherwise the ways are tried in this order: the saved login, the
// password file of a local server's root, no credentials at all (a server for
// development trusts callers on its machine), and a prompt.
func (id *identity) connect(ctx context.Context, t shell.Target) (*client.Client, error) {
	base := client.Options{URL: t.URL, User: id.user, As: t.As}
	if id.token != "" || id.password != "" {
		base.Token, base.Password = id.token, id.password
		return open(ctx, base)
	}
	for _, way := range []func(context.Context, client.Options) (client.Options, error){
		id.saved, id.localRoot, id.trusted, id.asked,
	} {
		o, err := way(ctx, base)
		if err != nil {
			return nil, err
		}
		if o.URL == "" {
			continue // not a way for this user and server
		}
		c, err := open(ctx, o)
		if err == nil || !refused(err) {
			return c, err
		}
	}
	return nil, fault.New(fault.AuthRequired,
		"no way to log in as %q at %s; give --password-file, %s or --token",
		base.User, t.URL, passwordVariable)
}

// open returns a client whose credentials were accepted.
func open(ctx context.Context, o client.Options) (*client.Client, error) {
	c, err := client.New(o)
	if err != nil {
		return nil, err
	}
	if _, err := c.Login(ctx); err != nil {
		_ = c.Close() // it has no subscriptions
		return nil, err
	}
	return c, nil
}

// identity returns how to log in as the flags say.
func (f *flags) identity(home *home) (*identity, error) {
	password, err := f.password()
	if err != nil {
		return nil, err
	}
	return &identity{user: f.user, token: f.token, password: password, home: home,
		terminal: term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stderr.Fd()))}, nil
}

// password returns the password of --password-file or the environment.
func (f *flags) password() (string, error) {
	if f.passwordFile == "" {
		return os.Getenv(passwordVariable), nil
	}
	p, err := readPassword(f.passwordFile)
	if err != nil {
		return "", fmt.Errorf("read the password: %w", err)
	}
	return p, nil
}

func readPassword(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", err
	}
	if info.Size() > maxPassword {
		return "", fmt.Errorf("%s is too long for a password", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return "", err
	}
	p := strings.TrimRight(string(data), "\r\n")
	if p == "" {
		return "", fmt.Errorf("%s is empty", path)
	}
	return p, nil
}

// saved is the login of an earlier prompt, kept current.
func (id *identity) saved(_ context.Context, o client.Options) (client.Options, error) {
	o.Saved = id.home.login(o.URL, o.User)
	if o.Saved == nil {
		return client.Options{}, nil
	}
	o.OnTokens = id.keep(o)
	return o, nil
}

func (id *identity) keep(o client.Options) func(client.Tokens) {
	return func(t client.Tokens) {
		if err := id.home.saveLogin(o.URL, o.User, t); err != nil {
			fmt.Fprintln(os.Stderr, "kalam:", err)
		}
	}
}

// localRoot reads the password that a server on this machine made for root. A
// server can't make it read another file and have it sent: the name is fixed.
func (id *identity) localRoot(ctx context.Context, o client.Options) (client.Options, error) {
	if o.User != system.RootUser || !loopback(o.URL) {
		return client.Options{}, nil
	}
	c, err := client.New(client.Options{URL: o.URL})
	if err != nil {
		return o, err
	}
	h, err := c.Health(ctx)
	_ = c.Close() // it has no subscriptions
	if err != nil {
		return o, err
	}
	if filepath.Base(h.RootPasswordFile) != rootPasswordFile {
		return client.Options{}, nil
	}
	if o.Password, err = readPassword(h.RootPasswordFile); err != nil {
		return client.Options{}, nil // another user's server, or one in a container
	}
	return o, nil
}

func loopback(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// trusted names the user without proof, which a development server takes.
func (id *identity) trusted(_ context.Context, o client.Options) (client.Options, error) {
	if !loopback(o.URL) {
		return client.Options{}, nil
	}
	if o.User != system.RootUser {
		o.As = cmp.Or(o.As, o.User)
	}
	o.User = ""
	return o, nil
}

// asked prompts for the password, and saves the login.
func (id *identity) asked(_ context.Context, o client.Options) (client.Options, error) {
	if !id.terminal {
		return client.Options{}, nil
	}
	fmt.Fprintf(os.Stderr, "password of %s at %s: ", o.User, o.URL)
	p, err := term.ReadPassword(int(os.Stdin.Fd()))
	fmt.Fprintln(os.Stderr)
	if err != nil {
		return o, fault.Wrap(fault.AuthRequired, err, "no password was read")
	}
	o.Password = string(p)
	o.OnTokens = id.keep(o)
	return o, nil
}
