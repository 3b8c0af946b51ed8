// Package auth checks who is asking: passwords, tokens and the right to act
// for somebody else. It knows nothing of HTTP headers or sockets.
//
// Accounts are read from and written through the engine that owns it; the
// package keeps only short-lived caches and counters of failed logins.
package auth

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/kalamdb/kalamdb-go/commons/clock"
	"github.com/kalamdb/kalamdb-go/commons/fault"
	"github.com/kalamdb/kalamdb-go/commons/ident"
	"github.com/kalamdb/kalamdb-go/commons/system"
	"github.com/kalamdb/kalamdb-go/core/access"
	"github.com/kalamdb/kalamdb-go/core/session"
	"github.com/kalamdb/kalamdb-go/sql/ddl"
)

// Accounts is where accounts are kept.
type Accounts interface {
	// Account returns an account and the seq of its row; nil and 0 when there
	// is none. The caller must not change it.
	Account(id ident.UserID) (*ddl.User, clock.Seq, error)
	// PutAccount stores an account, on the condition that its row still has
	// seq (0: there is none). It returns once it is durable.
	PutAccount(ctx context.Context, u *ddl.User, seq clock.Seq) error
}

// Options configure a Service.
type Options struct {
	Secret               []byte        // key of the tokens, 16 bytes or more
	AccessTTL            time.Duration // 0 means 15 minutes
	RefreshTTL           time.Duration // 0 means 30 days
	Now                  func() time.Time
	RootPasswordFile     string // where a generated password was written, "" if none
	ConcurrentHashes     int    // 0 means 2
	FailuresBeforeLock   int    // 0 means 10
	LockFor              time.Duration
	BasicCredentialCache time.Duration // 0 means one minute
	// CatchUp returns once Accounts has all that was answered anywhere; nil where it
	// always has. It is called before credentials are refused.
	CatchUp func(context.Context) error
}

func (o Options) withDefaults() Options {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&o.AccessTTL, 15*time.Minute)
	def(&o.RefreshTTL, 30*24*time.Hour)
	def(&o.LockFor, time.Minute)
	def(&o.BasicCredentialCache, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.ConcurrentHashes == 0 {
		o.ConcurrentHashes = 2
	}
	if o.FailuresBeforeLock == 0 {
		o.FailuresBeforeLock = 10
	}
	return o
}

// Service checks credentials. It is safe for concurrent use and owns no
// goroutine.
type Service struct {
	opts     Options
	accounts Accounts
	hasher   *hasher

	mu       sync.Mutex
	failures *lru.Cache[ident.UserID, failure]
	verified *lru.Cache[[sha256.Size]byte, time.Time]
	tokens   *lru.Cache[string, *claims] // whose signature was checked
}

// cacheSize bounds the caches: entries of users who tried to log in lately.
const cacheSize = 10_000

type failure struct {
	count int
	until time.Time // locked until then
}

// New returns a Service.
func New(accounts Accounts, opts Options) (*Service, error) {
	opts = opts.withDefaults()
	if len(opts.Secret) < 16 {
		return nil, fault.New(fault.InvalidParameter,
			"auth.jwt_secret is shorter than 16 bytes; use 32 random ones")
	}
	failures, err := lru.New[ident.UserID, failure](cacheSize)
	if err != nil {
		return nil, err
	}
	verified, err := lru.New[[sha256.Size]byte, time.Time](cacheSize)
	if err != nil {
		return nil, err
	}
	tokens, err := lru.New[string, *claims](cacheSize)
	if err != nil {
		return nil, err
	}
	return &Service{
		opts: opts, accounts: accounts, hasher: newHasher(opts.ConcurrentHashes),
		failures: failures, verified: verified, tokens: tokens,
	}, nil
}

// RootPasswordFile returns the path of the file with the generated password of
// root, "" when none was generated.
func (s *Service) RootPasswordFile() string { return s.opts.RootPasswordFile }

// HashPassword returns what is stored for a password. It blocks while too many
// are hashed at once.
func (s *Service) HashPassword(ctx context.Context, password string) (string, error) {
	return s.hasher.Hash(ctx, password)
}

var errCredentials = fault.New(fault.InvalidCredentials, "wrong user or password")

// Login checks a password and returns tokens. After too many failures the
// account answers ACCOUNT_LOCKED for a while, whatever the password.
func (s *Service) Login(ctx context.Context, user, password string) (Tokens, error) {
	u, err := s.check(ctx, user, password)
	if err != nil {
		return Tokens{}, err
	}
	return s.issue(u)
}

// Basic checks a password like Login. What was verified is remembered for a
// short time, since hashing costs more than most statements.
func (s *Service) Basic(ctx context.Context, user, password string) (session.Identity, error) {
	id, err := ident.ParseUserID(user)
	if err != nil {
		return session.Identity{}, errCredentials
	}
	u, _, err := s.accounts.Account(id)
	if err != nil {
		return session.Identity{}, err
	}
	var key [sha256.Size]byte
	if u != nil && u.Deleted == nil && u.Secret != "" {
		key = sha256.Sum256([]byte(u.Secret + "\x00" + user + "\x00" + password))
		if until, ok := s.verified.Get(key); ok && s.opts.Now().Before(until) {
			return identityOf(u, time.Time{}), nil
		}
	}
	u, err = s.check(ctx, user, password)
	if err != nil {
		return session.Identity{}, err
	}
	s.verified.Add(key, s.opts.Now().Add(s.opts.BasicCredentialCache))
	return identityOf(u, time.Time{}), nil
}

func identityOf(u *ddl.User, expires time.Time) session.Identity {
	return session.Identity{Caller: u.ID, Role: u.Role, ExpiresAt: expires, Epoch: u.Epoch}
}

func (s *Service) check(ctx context.Context, user, password string) (*ddl.User, error) {
	id, err := ident.ParseUserID(user)
	if err != nil {
		return nil, errCredentials
	}
	if err := s.locked(id); err != nil {
		return nil, err
	}
	u, _, err := s.accounts.Account(id)
	if err != nil {
		return nil, err
	}
	secret := ""
	if u != nil && u.Deleted == nil {
		secret = u.Secret
	}
	ok, err := s.hasher.Check(ctx, secret, password)
	if err == nil && !ok {
		u, ok, err = s.checkNewer(ctx, id, secret, password)
	}
	if err != nil {
		return nil, err
	}
	s.count(id, ok)
	if !ok {
		return nil, errCredentials
	}
	return u, nil
}

// checkNewer checks a password that was wrong once more where the account has another
// one by now.
func (s *Service) checkNewer(ctx context.Context, id ident.UserID, was, password string) (
	u *ddl.User, ok bool, err error,
) {
	if s.opts.CatchUp == nil {
		return nil, false, nil
	}
	if err := s.opts.CatchUp(ctx); err != nil {
		return nil, false, err
	}
	u, _, err = s.accounts.Account(id)
	if err != nil || u == nil || u.Deleted != nil || u.Secret == was {
		return nil, false, err
	}
	ok, err = s.hasher.Check(ctx, u.Secret, password)
	return u, ok, err
}

func (s *Service) locked(id ident.UserID) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, _ := s.failures.Get(id)
	if wait := f.until.Sub(s.opts.Now()); wait > 0 {
		return fault.New(fault.AccountLocked, "too many failed logins; try again in %s",
			wait.Round(time.Second))
	}
	return nil
}

// count keeps the score of failed logins.
func (s *Service) count(id ident.UserID, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if ok {
		s.failures.Remove(id)
		return
	}
	f, _ := s.failures.Get(id)
	f.count++
	if f.count >= s.opts.FailuresBeforeLock {
		f = failure{until: s.opts.Now().Add(s.opts.LockFor)}
	}
	s.failures.Add(id, f)
}

// Target says what access.ActFor must know of a user.
func (s *Service) Target(id ident.UserID) (access.Target, error) {
	u, _, err := s.accounts.Account(id)
	switch {
	case err != nil:
		return access.Target{}, err
	case u == nil:
		return access.Target{ID: id, Role: ident.RoleUser}, nil
	}
	return access.Target{ID: id, Role: u.Role, Dropped: u.Deleted != nil}, nil
}

// ActAs returns the identity with an acting user, if the caller may act for
// them.
func (s *Service) ActAs(_ context.Context, id session.Identity, user string) (
	session.Identity, error,
) {
	target, err := ident.ParseUserID(user)
	if err != nil {
		return session.Identity{}, err
	}
	if target != id.Caller {
		t, err := s.Target(target)
		if err != nil {
			return session.Identity{}, err
		}
		if err := access.ActFor(id, t); err != nil {
			return session.Identity{}, err
		}
	}
	id.As = target
	return id, nil
}

// MayActFor reports whether an account may act for another user now.
func (s *Service) MayActFor(caller, user ident.UserID) bool {
	from, err := s.Target(caller)
	if err != nil || from.Dropped {
		return false
	}
	t, err := s.Target(user)
	return err == nil && access.ActFor(session.Identity{Caller: caller, Role: from.Role}, t) == nil
}

// Current returns an error when an identity that was good once is void now.
func (s *Service) Current(id session.Identity) error {
	u, _, err := s.accounts.Account(id.Caller)
	switch {
	case err != nil:
		return err
	case u != nil && (u.Deleted != nil || u.Epoch > id.Epoch):
		return errToken
	case id.As == "" || id.As == id.Caller:
		return nil
	}
	t, err := s.Target(id.As)
	if err != nil {
		return err
	}
	return access.ActFor(id, t)
}

// Trusted returns the identity of a user whom a trusted peer names without
// credentials: the stored role, or user when there is no account. "" is root.
// Who is trusted is the server's decision.
func (s *Service) Trusted(_ context.Context, user string) (session.Identity, error) {
	if user == "" {
		user = system.RootUser
	}
	id, err := ident.ParseUserID(user)
	if err != nil {
		return session.Identity{}, err
	}
	u, _, err := s.accounts.Account(id)
	switch {
	case err != nil:
		return session.Identity{}, err
	case u == nil:
		return session.Identity{Caller: id, Role: ident.RoleUser}, nil
	case u.Deleted != nil:
		return session.Identity{}, fault.New(fault.UserNotFound, "user %s was dropped", id)
	}
	return identityOf(u, time.Time{}), nil
}

// User returns an account, or USER_NOT_FOUND.
func (s *Service) User(_ context.Context, id ident.UserID) (*ddl.User, error) {
	u, _, err := s.accounts.Account(id)
	if err == nil && (u == nil || u.Deleted != nil) {
		err = fault.New(fault.UserNotFound, "user %s does not exist", id)
	}
	return u, err
}

// NeedsSetup reports whether root has no password yet.
func (s *Service) NeedsSetup() (bool, error) {
	u, _, err := s.accounts.Account(system.RootUser)
	return err == nil && (u == nil || u.Secret == ""), err
}

// Setup gives root its first password. When it has one, the answer is
// ALREADY_EXISTS.
func (s *Service) Setup(ctx context.Context, password string) error {
	u, seq, err := s.accounts.Account(system.RootUser)
	if err != nil {
		return err
	}
	if u != nil && u.Secret != "" {
		return fault.New(fault.AlreadyExists,
			"root has a password; log in and use ALTER USER 'root' SET PASSWORD to change it")
	}
	return s.putRoot(ctx, u, seq, password)
}

// EnsureRoot makes sure that root exists and, when password is not "", has
// that password.
func (s *Service) EnsureRoot(ctx context.Context, password string) error {
	u, seq, err := s.accounts.Account(system.RootUser)
	if err != nil {
		return err
	}
	if u != nil {
		if password == "" {
			return nil
		}
		if ok, err := s.hasher.Check(ctx, u.Secret, password); ok || err != nil {
			return err
		}
	}
	return s.putRoot(ctx, u, seq, password)
}

func (s *Service) putRoot(ctx context.Context, u *ddl.User, seq clock.Seq, password string) error {
	root := ddl.User{ID: system.RootUser, Role: ident.RoleDBA, Created: s.opts.Now().UTC()}
	if u != nil {
		root = *u
		root.Epoch++
	}
	if password != "" {
		secret, err := s.hasher.Hash(ctx, password)
		if err != nil {
			return err
		}
		root.Secret = secret
	}
	return s.accounts.PutAccount(ctx, &root, seq)
}
