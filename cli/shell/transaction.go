package shell

import (
	"context"
	"strings"
)

// take runs a statement, or holds it while a transaction is open: each request
// stands for itself on the server, so BEGIN ... COMMIT goes as one.
func (s *Shell) take(ctx context.Context, sql string) error {
	word, _, _ := strings.Cut(strings.ToUpper(fold(sql)), " ")
	begins := word == "BEGIN" || word == "START"
	switch {
	case len(s.held) == 0 && !begins:
		return s.run(ctx, sql)
	case word == "ROLLBACK":
		s.held = nil
		s.say("transaction rolled back; nothing of it was sent")
		return nil
	}
	s.held = append(s.held, sql)
	if word == "COMMIT" {
		return s.send(ctx)
	}
	if s.opts.Interactive && begins {
		s.say("in a transaction: its statements are sent together at COMMIT")
	}
	return nil
}

// send runs what is held as one request.
func (s *Shell) send(ctx context.Context) error {
	text := strings.Join(s.held, ";\n")
	s.held = nil
	return s.run(ctx, text)
}
